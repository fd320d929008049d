"""The networks by name: `build("ainet")` gives an initialised module.

All map a normalised RGB image (B, 3, H, W), H and W multiples of 16, to logits (B, 9, H, W).
"""

from ainet.errors import ModelError
from ainet.training.networks.ainet import AINet, AINetCPix, AINetPNbor
from ainet.training.networks.ainet_public import AINetPublic
from ainet.training.networks.blocks import UNet, initialise
from ainet.training.networks.lite import AINetLite
from ainet.training.networks.scn import SCN

NETWORKS: dict[str, type[UNet]] = {
    "ainet": AINet,
    "ainet-pnbor": AINetPNbor,
    "ainet-cpix": AINetCPix,
    "ainet-public": AINetPublic,
    "ainet-lite": AINetLite,
    "scn": SCN,
}


def build(name: str) -> UNet:
    """Make the network called `name` with fresh weights.

    Raises:
        ModelError: no network has that name.
    """
    if name not in NETWORKS:
        raise ModelError(f"unknown network '{name}'; choose one of {', '.join(NETWORKS)}")
    network = NETWORKS[name]()
    initialise(network)
    return network


__all__ = ["NETWORKS", "UNet", "build", "initialise"]
