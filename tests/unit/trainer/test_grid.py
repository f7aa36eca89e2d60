"""Where augmented pixels come from is what torch's own affine grid says."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from trainer.tuning.augmentation import _grid


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_the_grid_is_that_of_torch(n: int, height: int, width: int, seed: int) -> None:
    theta = torch.randn(n, 2, 3, generator=torch.Generator().manual_seed(seed))
    expected = functional.affine_grid(theta, [n, 3, height, width], align_corners=False)
    found = _grid(theta, torch.zeros(n, 3, height, width))
    # Sums in another order.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
