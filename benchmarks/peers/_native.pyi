"""Peers that have no package: ERS and SNIC. Called through the adapters, which check the arguments. Arrays are C-contiguous."""

import numpy as np
from numpy.typing import NDArray

def ers(weights: NDArray[np.float64], segments: int, balance: float) -> tuple[NDArray[np.int32], NDArray[np.float64]]: ...
def snic(lab: NDArray[np.float32], rows: int, columns: int, compactness: float) -> NDArray[np.int32]: ...
