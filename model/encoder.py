"""The encoder Φ: ResNet-18 at a quarter of the image's resolution (docs/method.md, 1).

Beside torchvision's ResNet-18 it has no max-pool, widths 64/128/256/256, stride 2 in the second stage only,
and ends in a 3×3 convolution to the matching channels. Features are not normalised.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from model.winograd_training import Conv3x3

STRIDE = 4


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """widths of the four stages (two residual blocks each) and the number of matching channels C."""

    widths: tuple[int, int, int, int] = (64, 128, 256, 256)
    channels: int = 64

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Encoder(nn.Module):
    """image [B, 3, H, W] (normalised Lab) -> features [B, C, H/4, W/4]; H and W are multiples of 4."""

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EncoderConfig()
        w1, w2, w3, w4 = config.widths
        self.conv1 = nn.Conv2d(3, w1, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(w1)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(w1, w1, 1)
        self.layer2 = _stage(w1, w2, 2)
        self.layer3 = _stage(w2, w3, 1)
        self.layer4 = _stage(w3, w4, 1)
        self.match = nn.Conv2d(w4, config.channels, 3, padding=1)
        self._initialise()

    def forward(self, image: Tensor) -> Tensor:
        return self.stages(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """The first convolution, [B, 3, H, W] -> [B, widths[0], H/2, W/2]: what positions are added to."""
        x: Tensor = self.relu(self.bn1(self.conv1(image)))
        return x

    def stages(self, x: Tensor) -> Tensor:
        """All the rest."""
        features: Tensor = self.match(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        return features

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):  # each residual branch starts as the identity
                nn.init.zeros_(module.bn2.weight)


def _stage(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or channels_in != channels_out:
        shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
        )
    first, second = BasicBlock(channels_in, channels_out, stride, shortcut), BasicBlock(channels_out, channels_out)
    if stride == 1:
        first.conv1 = Conv3x3(channels_in, channels_out)
    first.conv2, second.conv1, second.conv2 = (Conv3x3(channels_out, channels_out) for _ in range(3))
    return nn.Sequential(first, second)
