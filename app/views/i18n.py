"""Other languages. Translations are Qt's own files, `i18n/mer_LANGUAGE.qm` among the resources."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from model.resources import resource


def install(app: QCoreApplication, language: str = "system") -> str:
    """Speak a language ("de", "pt_BR", or the system's) where there is a translation; call it before any window.

    Returns the language that is spoken: "en" where nothing was found.
    """
    wanted = QLocale() if language == "system" else QLocale(language)
    for name in (wanted.name(), wanted.name().split("_")[0]):
        try:
            path = resource(f"i18n/mer_{name}.qm")
        except ValueError:
            continue
        ours = QTranslator(app)
        if ours.load(str(path)) and app.installTranslator(ours):
            QLocale.setDefault(wanted)
            theirs = QTranslator(app)  # what Qt itself says: "Cancel", "Yes"
            if theirs.load(wanted, "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
                app.installTranslator(theirs)
            return name
    return "en"
