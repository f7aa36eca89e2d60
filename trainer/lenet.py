"""LeNet-5, which timm and torchvision do not have."""

from torch import Tensor, nn

#: Its input, squeezed to this square (LeCun 1998, Figure 2), and values brought to [-1, 1].
INPUT_PX = 32
MEAN = STD = (0.5, 0.5, 0.5)
INTERPOLATION = "bilinear"


class LeNet5(nn.Module):
    """LeNet-5 without its classifier: ``(N, 3, H, W)`` -> ``(N, 84)``, H and W at least 32.

    It differs from the paper's in that it takes colour, that its third layer sees all maps of
    the second, that pooling has no parameters, and that maps of larger images are averaged
    before the last layer. There are no published weights; it is trained from random ones.

    References
    ----------
    LeCun et al. 1998, 10.1109/5.726791, section II.B.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(16, 120, 5), nn.Tanh(),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(120, 84), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        features: Tensor = self.hidden(self.pool(self.features(images)))
        return features
