"""From samples to bytes: transform, fit, quantize, write, and decode the very bytes to keep the promise.

    picture -> entrants -> session -> plan -> solution -> chunks -> file -> decoded again

A goal that a session does not reach by itself is made of PSNRs here: a size by a search, no loss by a residual.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from nfcodec.codec.assemble import assemble
from nfcodec.codec.contest import Entrant, best_of, best_of_plans, entrants
from nfcodec.codec.decoder import decode
from nfcodec.codec.options import EncodeOptions
from nfcodec.codec.report import Encoded, Outcome, report_of
from nfcodec.codec.size_search import best_within
from nfcodec.errors import EngineError, FormatError, LimitError, TargetNotReachedError
from nfcodec.fields import registry
from nfcodec.fitting.engines import check_installed
from nfcodec.fitting.family import Context, Session
from nfcodec.fitting.goals import Goal, Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Listener, Request, each_message_once, ignore
from nfcodec.format import HEADER, write_chunks
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain


def encode(
    raster: Raster, options: EncodeOptions, on_event: Listener | None = None, limits: Limits = DEFAULT_LIMITS
) -> Encoded:
    """Encode a picture so that decoding the very bytes returned gives what the options ask for.

    Raises:
        UsageError: an option makes no sense, or an unknown transform or field.
        LimitError: the picture or the field is over the limits.
        TargetNotReachedError: the target was not reached, and `best_effort` is off.
        EngineError: the engine or device is not available, or cannot fit the field asked for.
    """
    started = time.monotonic()
    specs = parse_chain(options.transform)
    limits.check_geometry(raster.width, raster.height)
    picture = Picture.of(raster, Chain.prepare(specs, raster.samples, options.seed))
    request = Request(
        goal=options.goal(raster.n_pixels),
        effort=options.effort,
        seed=options.seed,
        engine=options.engine,
        device=options.device,
        max_steps=options.max_steps,
        deadline=math.inf if options.time_limit_s is None else started + options.time_limit_s,
        started=started,
        listen=each_message_once(on_event or ignore),
    )
    trying = entrants(options.field, picture, options.engine, options.device)
    check_installed(options.engine, options.device)
    files: list[Encoded] = []
    for left, entrant in zip(range(len(trying), 0, -1), trying, strict=True):
        share = (request.deadline - time.monotonic()) / left
        attempt = replace(request, deadline=min(request.deadline, time.monotonic() + share))
        try:
            files.append(_Encoding.of(entrant, picture, options, limits).file(attempt))
        except (TargetNotReachedError, EngineError, LimitError):
            if left == 1 and not files:  # nobody got there
                raise
    encoded = best_of(files, request.goal)
    if not encoded.report["reached"] and not options.best_effort:
        raise _missed(encoded, request.goal)
    return Encoded(encoded.data, {**encoded.report, "seconds": time.monotonic() - started})


def _missed(encoded: Encoded, goal: Goal) -> TargetNotReachedError:
    if isinstance(goal, Size):
        message = f"the smallest file found takes {len(encoded.data)} bytes, more than {goal.n_bytes}"
    else:
        message = f"reached {encoded.psnr_db:.2f} dB of {goal}"
    return TargetNotReachedError(message, encoded.psnr_db)


@dataclass(frozen=True)
class _Encoding:
    """One family's encodes of a picture."""

    entrant: Entrant
    picture: Picture
    session: Session
    options: EncodeOptions
    limits: Limits

    @classmethod
    def of(cls, entrant: Entrant, picture: Picture, options: EncodeOptions, limits: Limits) -> _Encoding:
        """Begin a session."""
        session = entrant.family.begin(picture, Context(registry.estimator()), entrant.given)
        return cls(entrant, picture, session, options, limits)

    def file(self, request: Request) -> Encoded:
        """The file for a request, whether it reaches the goal or not."""
        goal = request.goal
        if not isinstance(goal, Size):
            return self._file_at(request)
        if Size in self.session.native:
            encoded = self._unpromised_at(request)
        else:
            n_pixels = self.picture.raster.n_pixels
            encoded = best_within(goal.n_bytes, n_pixels, request, self._unpromised_at, self.session)
        reached = {"target_bytes": goal.n_bytes, "reached": len(encoded.data) <= goal.n_bytes}
        return Encoded(encoded.data, {**encoded.report, **reached})

    def _unpromised_at(self, request: Request) -> Encoded:
        """A file that promises the PSNR it has, as where a size is asked for."""
        return self._file_at(request, promised=False)

    def _file_at(self, request: Request, *, promised: bool = True) -> Encoded:
        """Fit to a goal and write the file.

        Args:
            promised: whether the PSNR is what was asked for, and so what the header says.
        """
        picture, raster = self.picture, self.picture.raster
        fit_request, target_db, exact = self._request_of_fit(request)
        try:
            plan = best_of_plans(self.session.plans(fit_request), fit_request.deadline - time.monotonic())
            for field in (plan.field, *plan.others):
                field.check(picture.geometry, self.limits)
            solution = self.session.fit(plan, fit_request)
        except FormatError as error:
            raise TargetNotReachedError(f"{fit_request.goal} is out of reach: {error}", -math.inf) from error
        chunks, header = assemble(picture, solution, target_db, exact=exact)
        if not promised:
            header = replace(header, target_psnr_db=header.psnr_db)
        data = write_chunks({**chunks, HEADER: header.pack()})
        decoded = decode(data, self.limits)
        reached_db = psnr_db(decoded.samples, raster.samples, raster.peak)
        outcome = Outcome(self.entrant.family.name, picture.chain, plan, solution, chunks, header, data, reached_db)
        return Encoded(data, report_of(outcome, self.options))

    def _request_of_fit(self, request: Request) -> tuple[Request, float, bool]:
        """What the session is asked for, the PSNR that the file promises, and whether a residual does the rest."""
        if type(request.goal) in self.session.native and not isinstance(request.goal, Psnr):
            return request, math.inf if isinstance(request.goal, Lossless) else 0.0, False
        target_db = math.inf if isinstance(request.goal, Lossless) else request.psnr_db
        policy = self.entrant.family.lossless(self.picture.raster.depth)
        if target_db > policy.from_db or math.isinf(target_db):
            return request.at(policy.fit_db), target_db, policy.fit_db < target_db
        return request, target_db, False
