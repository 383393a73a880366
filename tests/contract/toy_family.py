"""A whole family: tiles of a picture, each of the colour of its first pixel. docs/extend/field.md walks through it."""

import time
from dataclasses import dataclass

import numpy as np

from nfcodec.coding.payload import ANY
from nfcodec.coding.tensors import AdaptivePart
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import OUTPUT_BITS, check_exact, rescale
from nfcodec.exact.field import Field, Role, Tensor, tiles_cost
from nfcodec.fitting.cost import BASE_BYTES, Work
from nfcodec.fitting.family import Family, LosslessPolicy, Session
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.plans import SEARCH, WRITING, Plan, Stage
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.fitting.request import Solution
from nfcodec.fitting.search import land_by_step
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

PIXEL_BYTES = 200  # of a tile that is evaluated


@dataclass(frozen=True)
class Mosaic(Field):
    side: int  # of a tile, in pixels
    wire_id, counterparts = 200, {}

    def pack(self):
        return bytes([self.side])

    @classmethod
    def unpack(cls, data):
        reader = ByteReader(data)
        side = reader.u8()
        reader.finish()
        if not side:
            raise FormatError("a tile has at least one pixel a side")
        return cls(side)

    def layout(self, geometry):
        rows, cols = -(-geometry.height // self.side), -(-geometry.width // self.side)
        return [Tensor("tiles", (rows, cols, geometry.channels), Role.TABLE)]

    def cost(self, geometry):
        return Cost(
            8 * self.n_parameters(geometry) + tiles_cost(geometry, PIXEL_BYTES).memory_bytes, 40e-9 * geometry.n_pixels
        )

    def orders(self, geometry, symbols=None):
        return (ANY,)

    def parts(self, geometry, order):
        return [AdaptivePart(tensor) for tensor in self.layout(geometry)]

    def evaluator(self, geometry, weights):
        tiles = weights["tiles"]
        check_exact(tiles.limit(), tiles.step, OUTPUT_BITS)
        colours = rescale(tiles.symbols.astype(np.float64), tiles.step, OUTPUT_BITS)
        places = [np.arange(n) // self.side for n in (geometry.height, geometry.width)]
        return lambda start, stop: colours[places[0][start:stop]][:, places[1]].reshape(-1, geometry.channels).T


@dataclass(frozen=True)
class Recipe:
    """Where the search for the quantizer step begins, over the root mean squared error that the target allows."""

    first_step: float


EVALUATIONS, SAMPLE, SAMPLE_BYTES = 5, Work(3e-8), 40  # a search's; seconds of one for each sample; and its memory


class MosaicSession(Session):
    native = frozenset({Psnr})

    def __init__(self, picture, field):
        self._problem = Problem.of(picture, field)

    def get_ready(self, request):
        pass  # nothing is compiled

    def plans(self, request):
        n_samples = self._problem.samples.size
        stages = Stage(SEARCH, EVALUATIONS * SAMPLE.seconds(n_samples)), Stage(WRITING, SAMPLE.seconds(n_samples))
        return [Plan(self._problem.field, MosaicFamily.recipes[1], 1, stages, BASE_BYTES + SAMPLE_BYTES * n_samples)]

    def fit(self, plan, request):
        began, problem, side = time.monotonic(), self._problem, plan.field.side
        lattice = problem.geometry
        tiles = problem.targets.reshape(lattice.height, lattice.width, -1)[::side, ::side]
        step = plan.recipe.first_step * np.sqrt(problem.allowed_mse(request.psnr_db))
        trial = land_by_step(
            request, lambda x: problem.trial(quantize(problem, {"tiles": tiles}, {"tiles": 2.0**x * step}))
        )
        return Solution.closed_form(problem, trial, time.monotonic() - began)

    def estimated_bytes(self, request):
        return None


class MosaicFamily(Family):
    name, stands_in = "mosaic", False
    recipes = dict.fromkeys(range(1, 10), Recipe(3.0))

    def suits(self, picture, request):
        return False

    def refuses(self, picture, engine, device, given=None):
        return None

    def lossless(self, depth):
        return LosslessPolicy(fit_db=40.0, from_db=np.inf)

    def begin(self, picture, context, given=None):
        return MosaicSession(picture, Mosaic(1) if given is None else given)
