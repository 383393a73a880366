"""Transforms of the image before it is fitted: permutations of pixels and maps of sample values."""

from nfcodec.transforms.base import Permutation, Pointwise, Transform, register, registered, usages
from nfcodec.transforms.chain import MAX_TRANSFORMS, Chain, Spec, left_shuffled, parse_chain, parse_permutations
from nfcodec.transforms.curves import MICRO, Affine, Power
from nfcodec.transforms.orders import seeded_permutation
from nfcodec.transforms.permute import RandomPermutation, Zigzag, intensities
from nfcodec.transforms.pointwise import Center, Gamma, Inversion, Scale, Standardize, SymmetricPower
from nfcodec.transforms.real_map import RealMap
from nfcodec.transforms.value_map import ValueMap, samples_themselves

__all__ = [
    "MAX_TRANSFORMS",
    "MICRO",
    "Affine",
    "Center",
    "Chain",
    "Gamma",
    "Inversion",
    "Permutation",
    "Pointwise",
    "Power",
    "RandomPermutation",
    "RealMap",
    "Scale",
    "Spec",
    "Standardize",
    "SymmetricPower",
    "Transform",
    "ValueMap",
    "Zigzag",
    "intensities",
    "left_shuffled",
    "parse_chain",
    "parse_permutations",
    "register",
    "registered",
    "samples_themselves",
    "seeded_permutation",
    "usages",
]
