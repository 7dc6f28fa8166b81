# Makes the bundle known to Windows, for this user alone: an entry in the start menu, and "Open with MER Studio" in the
# menu of folders whose name ends in .mer. The bundle itself stays where it is.
#
#   powershell -ExecutionPolicy Bypass -File install.ps1 [-Uninstall]
param([switch]$Uninstall)
$ErrorActionPreference = "Stop"

$bundle = Split-Path -Parent $PSScriptRoot
$program = Join-Path $bundle "mer.exe"
$verb = "HKCU:\Software\Classes\Directory\shell\MERStudio"
$link = Join-Path ([Environment]::GetFolderPath("Programs")) "MER Studio.lnk"

if ($Uninstall) {
    Remove-Item -Path $verb -Recurse -ErrorAction SilentlyContinue
    Remove-Item -Path $link -ErrorAction SilentlyContinue
    Write-Output "MER Studio is no longer in the menus; the bundle is still in $bundle"
    exit
}
if (-not (Test-Path $program)) { throw "$program is missing: run this from inside the bundle" }

New-Item -Path "$verb\command" -Force | Out-Null
Set-ItemProperty -Path $verb -Name "(default)" -Value "Open with MER Studio"
Set-ItemProperty -Path $verb -Name "Icon" -Value "`"$program`""
Set-ItemProperty -Path $verb -Name "AppliesTo" -Value 'System.FileName:~>".mer"' # ends with
Set-ItemProperty -Path "$verb\command" -Name "(default)" -Value "`"$program`" `"%1`""

$shortcut = (New-Object -ComObject WScript.Shell).CreateShortcut($link)
$shortcut.TargetPath = $program
$shortcut.IconLocation = $program
$shortcut.Save()
Write-Output "MER Studio is in the start menu, and in the menu of .mer folders"
