"""Images that a network would call most typical of an output: activation maximisation."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainer.backbones import Preprocessing
from trainer.explain import Contrast

#: Steps of Adam and their size. More of either raise the score further, and saturate the image.
N_STEPS, STEP_SIZE = 32, 0.03
#: The image is moved by up to this part of its side before each step, so that what is found does
#: not hang on single pixels (Olah 2017, "transformation robustness").
JITTER = 1 / 14
#: Weight of the mean step between neighbouring pixels beside a logit: takes away fine noise that
#: only a network sees (Mahendran and Vedaldi 2015, arXiv:1412.0035, section 3). Set by eye.
SMOOTHNESS = 100.0
#: Spread of the first spectrum, and what the waves are divided by, so that it is almost grey.
FIRST_SPREAD, DAMPING = 0.01, 4.0
#: Grey values between these percentiles are spread over the picture.
SHOWN_PERCENTILES = (0.5, 99.5)

Picture = npt.NDArray[np.uint8]


def ideal_image(
    model: nn.Module,
    output: int,
    steps: Preprocessing,
    seed: int,
    *,
    exclusive: bool = True,
    grey: bool = False,
) -> Picture:
    """Climb from grey to an image that the model gives a high score for an output.

    Parameters
    ----------
    model : Module
        Images ``(N, 3, px, px)`` -> logits ``(N, C)``; measured as it is, and left so.
    output : int
        Class, label, or 0 for a number.
    steps : Preprocessing
        How images are brought to the model.
    seed : int
        The same seed gives the same image.
    exclusive : bool
        The outputs are classes of which one holds: climbed is what sets one apart.
    grey : bool
        Three equal channels, for a model that was trained on grey images.

    Returns
    -------
    ndarray of uint8, shape (px, px, 3)
        A picture of what the model responds to, of no patient; it need not look like anything.
        Its contrast is stretched for the eye.

    References
    ----------
    Erhan 2009, "Visualizing Higher-Layer Features of a Deep Network", TR 1341, University of
    Montreal. Frequencies instead of pixels: Olah 2017, doi:10.23915/distill.00007.
    """
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    px, model = steps.input_px, model.eval()
    shape = (1 if grey else 3, px, px // 2 + 1, 2)
    spectrum = (FIRST_SPREAD * torch.randn(shape, generator=generator)).to(device).requires_grad_()
    optimizer = torch.optim.Adam([spectrum], lr=STEP_SIZE)
    scores = Contrast(model) if exclusive else model
    for _ in range(N_STEPS):
        image = _image(spectrum, px)
        score = scores(_seen(image, steps, generator))[0, output]
        (spectrum.grad,) = torch.autograd.grad(SMOOTHNESS * _variation(image) - score, [spectrum])
        optimizer.step()
    return _shown(_image(spectrum, px))


def _shown(image: Tensor) -> Picture:
    values = image.detach().cpu().permute(1, 2, 0).numpy()
    low, high = np.percentile(values, SHOWN_PERCENTILES)
    stretched = (values - low) / max(float(high - low), 1e-6)
    return np.asarray(stretched.clip(0, 1) * 255, dtype=np.uint8)


def _image(spectrum: Tensor, px: int) -> Tensor:
    """Grey values in (0, 1) of a spectrum whose slow waves weigh as in natural images."""
    down = torch.fft.fftfreq(px, device=spectrum.device)[:, None]
    across = torch.fft.rfftfreq(px, device=spectrum.device)[None]
    slowness = px / (down.square() + across.square()).sqrt().clamp(min=1 / px)
    waves = torch.view_as_complex(spectrum) * slowness
    grown: Tensor = torch.fft.irfft2(waves, s=(px, px), norm="ortho") / (px * DAMPING)
    return grown.sigmoid().expand(3, px, px)


def _variation(image: Tensor) -> Tensor:
    return image.diff(dim=1).abs().mean() + image.diff(dim=2).abs().mean()


def _seen(image: Tensor, steps: Preprocessing, generator: torch.Generator) -> Tensor:
    """The image moved a little and normalised, as a batch of one."""
    reach = round(steps.input_px * JITTER)
    down, across = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
    mean = torch.tensor(steps.mean, device=image.device).view(3, 1, 1)
    std = torch.tensor(steps.std, device=image.device).view(3, 1, 1)
    return ((image.roll((down, across), (1, 2)) - mean) / std)[None]
