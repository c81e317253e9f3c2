"""How all kernels are compiled."""

EXACT = {"enable_fp_fusion": False}
"""No multiplication is fused with an addition: numbers are rounded as those of the twins.

Said at each launch, because Triton 3.9 warns where it is not, and 3.10 changes the default.
"""
