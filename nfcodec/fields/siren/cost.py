"""What an encode of a SIREN takes: a step and an exact evaluation are timed on a part of the picture, and counted.

How many steps a large network needs, and whether small ones will do, is known only once they are fitted; here stands
what is usual.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.kfac import SHARE
from nfcodec.fields.siren.memorising import KFAC_STEPS
from nfcodec.fields.siren.muon import Muon
from nfcodec.fields.siren.plan import grown, initial, is_small
from nfcodec.fields.siren.recipes import Recipe
from nfcodec.fields.siren.rounding import rounded
from nfcodec.fields.siren.sampled_fit import PIXELS, RATE
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.tiles import PILOT_SHARES, PILOT_STEPS, n_steps_of, pilot_steps
from nfcodec.fitting import engines
from nfcodec.fitting.batches import sampled_lines
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work, crop, quickest
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import SEARCH, WRITING, Stage
from nfcodec.fitting.probe import EXAMPLE_PIXELS
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.fitting.request import Request
from nfcodec.workers import n_threads, one_thread

EXAMPLE = Siren(8, 1)

PROBE_MACS, TRIAL_MACS = 6e8, 1e8
"""Multiplications, without those of the way back, of the gradient and of the exact evaluation that are timed."""

USUAL_STEPS, DB_PER_DOUBLING, PERMUTED = 60, 6.0, 1.7
"""Of a large network at 40 dB, from 45 to 110; what doubles them; and how many times more a permuted picture takes."""

SAMPLED_SHARE, SOLVING = 1.8, Work(alone=0.0, shared=2.5e-10)
"""Of K-FAC: what a pixel that is looked at for the factors takes, over its gradient; and what solving takes, for each
layer and the third power of its width."""

EVALUATIONS, TRIALS = 10, 2
"""Before a large network is fine-tuned: looks at all pixels, a third of a gradient each, and exact evaluations."""

FINE_TUNINGS = 1.0
"""Of a large network, until one misses the target."""

HASTY_FITS = 2
"""Of small networks, where a fit has fewer steps than the short ones before it: the first misses the target."""

WAYS, WAY = 6, Work(alone=0.0, shared=3e-6)
"""How often small networks are rounded until the target is met, and what that takes for each parameter."""

SAMPLED_STEPS, UNDISTURBED = 9, 1.15
"""Steps on random pixels that are timed, each by itself; and what others take, with their share of the looks at all
pixels, over the quickest of these."""

CODING = Work(alone=1.0e-6)
"""Of a parameter, to write and to read it; the evaluation comes on top."""

SAMPLE_BYTES, PARAMETER_BYTES = 60, 110


@dataclass
class Costs:
    """Of one picture, for all requests of a session.

    Attributes:
        paces: by the kind of work and the size of the network, as probed: seconds for each pixel and multiplication,
            or for each step on random pixels.
    """

    picture: Picture
    paces: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])

    def load(self, given: Siren | TiledSiren | None, request: Request) -> None:
        """Load all kernels, by a step on a few pixels and by rounding.

        Args:
            given: the field, if it is known.
        """
        example = EXAMPLE if given is None else replace(self._typical(given), width=EXAMPLE.width)
        part = self._part(example, EXAMPLE_PIXELS)
        self._engine(part, request)
        with contextlib.suppress(EngineError):  # not every engine takes random pixels
            self._step(part, request)()
        rounded(part, *_coarse(part, request))

    def likely(self, guess: TiledSiren, large: Siren, request: Request) -> Siren | TiledSiren:
        """What a fit is likely to end with that begins with a guess; `large` where small networks will not do."""
        if request.max_steps is not None:
            return guess
        found = grown(guess, self.picture.geometry, request.psnr_db)
        return found if is_small(found, self.picture.geometry) else large

    def stages(
        self, field: Siren | TiledSiren, likely: Siren | TiledSiren | None, request: Request, recipe: Recipe
    ) -> tuple[Stage, ...]:
        """Of an encode, up to the writing of the file.

        Args:
            likely: what short fits are likely to make of the field; None where there are none.
        """
        pilots = list[Stage]()
        if likely is None:
            likely = field
        elif request.max_steps is None:
            pilots = self._pilots([field, likely] if isinstance(likely, TiledSiren) else [field], request, recipe)
        if isinstance(likely, Siren) and not is_small(likely, self.picture.geometry):
            return (*pilots, *self._memorising(likely, request, recipe))
        return (*pilots, *self._small(likely, request, recipe))

    def memory_bytes(self, field: Siren | TiledSiren) -> float:
        """At the peak of an encode."""
        geometry = self.picture.geometry
        n_samples, n_parameters = geometry.n_pixels * geometry.channels, field.n_parameters(geometry)
        return BASE_BYTES + KERNEL_BYTES + SAMPLE_BYTES * n_samples + PARAMETER_BYTES * n_parameters

    def _pilots(self, fields: Sequence[Siren | TiledSiren], request: Request, recipe: Recipe) -> list[Stage]:
        """The short fits, each of one of the fields."""
        found, done = list[Stage](), 0
        for share, each in zip(PILOT_SHARES, fields, strict=False):
            n_steps = pilot_steps(share, n_steps_of(each, self.picture.geometry, recipe))
            if n_steps > done:
                found.append(self._sampled_fit(each, request, n_steps))
                done += n_steps
        return found

    def _small(self, field: Siren | TiledSiren, request: Request, recipe: Recipe) -> list[Stage]:
        geometry = self.picture.geometry
        n_steps = n_steps_of(field, geometry, recipe)
        n_steps = n_steps if request.max_steps is None else min(n_steps, request.max_steps)
        trial = self._pace("evaluation", self._typical(field), request) * _macs(field, geometry)
        coding = CODING.seconds(field.n_parameters(geometry))
        ways = WAYS + recipe.more_ways
        rounding = ways * (trial + WAY.seconds(field.n_parameters(geometry)))
        n_fits = HASTY_FITS if n_steps < PILOT_STEPS and request.max_steps is None else 1
        fit = self._sampled_fit(field, request, n_fits * n_steps)
        return [fit, Stage(SEARCH, rounding), Stage(WRITING, coding + trial)]

    def _sampled_fit(self, field: Siren | TiledSiren, request: Request, n_steps: int) -> Stage:
        """A fit of all networks on random pixels."""
        n_networks = len(field.widths) if isinstance(field, TiledSiren) else 1
        n_rounds = math.ceil(n_networks / min(n_networks, n_threads()))
        seconds = self._pace("alone" if n_networks == 1 else "beside others", self._typical(field), request)
        return Stage("fit", UNDISTURBED * seconds * n_steps * n_rounds, n_steps * n_rounds)

    def _memorising(self, field: Siren, request: Request, recipe: Recipe) -> list[Stage]:
        geometry = self.picture.geometry
        macs, n_parameters = _macs(field, geometry), field.n_parameters(geometry)
        most = math.inf if request.max_steps is None else request.max_steps
        gradient, trial = self._pace("gradient", field, request) * macs, self._pace("evaluation", field, request) * macs
        step = gradient * (1 + SAMPLED_SHARE * max(1 / SHARE, min(1.0, 4 * field.width / geometry.n_pixels)))
        step += SOLVING.seconds(field.hidden_layers * field.width**3)
        n_steps = USUAL_STEPS * 2 ** ((request.psnr_db - 40) / DB_PER_DOUBLING)
        n_steps = int(min(KFAC_STEPS, most, n_steps * (PERMUTED if self.picture.permutes else 1.0)))
        stages = [Stage("fit", n_steps * step, n_steps), Stage(SEARCH, EVALUATIONS * gradient / 3 + TRIALS * trial)]
        n_tuning = int(min(FINE_TUNINGS * recipe.fine_tuning_steps, most - n_steps)) if recipe.fine_tunings else 0
        if n_tuning:
            stages.append(Stage("fine-tune", n_tuning * step + trial, n_tuning))
        return [*stages, Stage(WRITING, CODING.seconds(n_parameters) + trial)]

    def _typical(self, field: Siren | TiledSiren) -> Siren:
        """A network of the mean width of all."""
        if isinstance(field, Siren):
            return field
        width = max(1, round(sum(field.widths) / len(field.widths)))
        return Siren(width, field.hidden_layers, frequencies=field.frequencies)

    def _pace(self, kind: str, network: Siren, request: Request) -> float:
        """The pace of a kind of work, probed for the first network of about this size."""
        key = kind, round(2 * math.log2(network.width))
        if key not in self.paces:
            probes = {
                "alone": partial(self._sampled, alone=True),
                "beside others": partial(self._sampled, alone=False),
                "gradient": self._gradient,
                "evaluation": self._evaluation,
            }
            self.paces[key] = probes[kind](network, request)
        return self.paces[key]

    def _part(self, network: Siren, n_pixels: float) -> Problem:
        whole = Problem.of(self.picture, network)
        return whole.part(crop(whole.geometry, n_pixels), network)

    def _engine(self, part: Problem, request: Request) -> tuple[Engine, Parameters]:
        assert isinstance(part.field, Siren)
        parameters = initial(part.field, part.geometry, request.seed)
        return engines.for_request(request, part, parameters, Objective()), parameters

    def _gradient(self, network: Siren, request: Request) -> float:
        """Of a gradient of all pixels, for each pixel and multiplication."""
        part = self._part(network, PROBE_MACS / network.macs_per_pixel(self.picture.geometry))
        engine, _ = self._engine(part, request)
        return quickest(engine.gradient) / _macs(network, part.geometry)

    def _sampled(self, network: Siren, request: Request, *, alone: bool) -> float:
        """Of a step on random pixels; on one thread where others are fitted beside the network."""
        with one_thread(not alone):
            step = self._step(self._part(network, 4 * PIXELS), request)
            step()
            return quickest(step, SAMPLED_STEPS)

    def _step(self, part: Problem, request: Request) -> Callable[[], None]:
        """What takes a step on random pixels of a part of the picture."""
        assert isinstance(part.field, Siren)
        (engine, _), muon = self._engine(part, request), Muon(part.field.trained)
        rng = np.random.default_rng(request.seed)

        def step() -> None:
            stats = engine.sampled_gradient(*sampled_lines(part.geometry, PIXELS, rng))
            muon.update(engine, Rates(RATE, RATE), stats)

        return step

    def _evaluation(self, network: Siren, request: Request) -> float:
        """Of an exact evaluation, for each pixel and multiplication."""
        part = self._part(network, TRIAL_MACS / network.macs_per_pixel(self.picture.geometry))
        weights = quantize(part, *_coarse(part, request))
        return quickest(lambda: part.trial(weights)) / _macs(network, part.geometry)


def _coarse(part: Problem, request: Request) -> tuple[Parameters, dict[str, float]]:
    """Initial parameters, and quantizer steps for them."""
    assert isinstance(part.field, Siren)
    parameters = initial(part.field, part.geometry, request.seed)
    largest = {name: max(1e-6, float(np.abs(value).max())) for name, value in parameters.items()}
    return parameters, {each.name: each.unit * largest[each.name] / 64 for each in part.field.layout(part.geometry)}


def _macs(field: Siren | TiledSiren, geometry: Geometry) -> float:
    """Multiplications of an evaluation of all pixels."""
    return field.macs_per_pixel(geometry) * geometry.n_pixels
