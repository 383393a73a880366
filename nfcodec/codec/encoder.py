"""From samples to bytes: transform, fit, quantize, write, and decode the very bytes to keep the promise.

    picture -> entrants -> session -> plan -> solution -> chunks -> file -> decoded again

A goal that a session does not reach by itself is made of PSNRs here: a size by a search, no loss by a residual.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from nfcodec import arguments
from nfcodec.codec.assemble import assemble
from nfcodec.codec.contest import Entrant, best_of, best_of_plans, entrants, may_win
from nfcodec.codec.decoder import decode
from nfcodec.codec.options import EncodeOptions
from nfcodec.codec.report import Encoded, Outcome, report_of, verdict, with_tries
from nfcodec.codec.rounds import FAILURES, Contest
from nfcodec.codec.size_search import best_within, first_guess_db
from nfcodec.codec.time_plan import TRIES, Announcer, Need, seconds_beside
from nfcodec.errors import FormatError, LimitError, NfcError, TargetNotReachedError
from nfcodec.exact.field import Field
from nfcodec.fields import registry
from nfcodec.fitting.engines import check_installed
from nfcodec.fitting.family import Context, Session
from nfcodec.fitting.goals import Goal, Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import WRITING, Plan
from nfcodec.fitting.request import Listener, Request, each_message_once, ignore
from nfcodec.floats import as_numpy_does
from nfcodec.format import HEADER, STEP_BYTES, write_chunks
from nfcodec.lazy import kept
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain


@as_numpy_does
def encode(
    raster: Raster, options: EncodeOptions, on_event: Listener | None = None, limits: Limits = DEFAULT_LIMITS
) -> Encoded:
    """Encode a picture so that decoding the very bytes returned gives what the options ask for.

    Raises:
        UsageError: an argument is of a wrong type, or an option makes no sense, or an unknown transform or field.
        LimitError: the picture or the field is over the limits.
        TargetNotReachedError: the target was not reached, and `best_effort` is off.
        EngineError: the engine or device is not available, or cannot fit the field asked for.
    """
    started = time.monotonic()
    arguments.instance_of("limits", limits, Limits, "an nfcodec.Limits")
    if on_event is not None:
        arguments.function("on_event", on_event, "a function of one event, or None")
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
    trying, announcer = entrants(options.field, picture, request), Announcer()
    check_installed(options.engine, options.device)
    began = time.monotonic()
    able, failures = _all_ready([_Encoding(each, picture, options, limits, announcer) for each in trying], request)
    request = replace(request, deadline=request.deadline + time.monotonic() - began)
    contest = Contest(able, failures, request)
    contest.play()
    if not contest.files:  # nobody got there
        raise contest.failures[-1]
    encoded = best_of(contest.files, request.goal)
    if not encoded.report["reached"] and not options.best_effort:
        raise _missed(encoded, request.goal)
    if len(contest.files) > 1:
        request.clock(WRITING).tell(0, 0, encoded.psnr_db, verdict(encoded, contest.files))
    return with_tries(encoded, contest.files, time.monotonic() - started)


def _all_ready(trying: Sequence[_Encoding], request: Request) -> tuple[list[_Encoding], list[NfcError]]:
    """Those whose sessions can begin and load what they need, and what went wrong with the others."""
    able, failures = list[_Encoding](), list[NfcError]()
    for each in trying:
        try:
            each.session.get_ready(request)
            able.append(each)
        except FAILURES as error:
            failures.append(error)
    return able, failures


def _out_of_reach(request: Request, error: FormatError) -> TargetNotReachedError:
    return TargetNotReachedError(f"{request.goal} is out of reach: {error}", -math.inf)


def _missed(encoded: Encoded, goal: Goal) -> TargetNotReachedError:
    if isinstance(goal, Size):
        message = f"the smallest file found takes {len(encoded.data)} bytes, more than {goal.n_bytes}"
    else:
        message = f"reached {encoded.psnr_db:.2f} dB of {goal}"
    return TargetNotReachedError(message, encoded.psnr_db)


@dataclass(frozen=True)
class _Encoding:
    """One family's encodes of a picture: a Contender."""

    entrant: Entrant
    picture: Picture
    options: EncodeOptions
    limits: Limits
    announcer: Announcer

    @kept
    def session(self) -> Session:
        """It begins when it is asked for."""
        return self.entrant.family.begin(self.picture, Context(registry.estimator()), self.entrant.given)

    def need(self, request: Request) -> Need:
        """The seconds that a file takes, about; without a limit, and of what is out of reach, they do not matter."""
        if math.isinf(request.deadline):
            return Need(1.0, 1.0)
        try:
            if self._searches(request.goal):
                fit_request, tries, exact = request.at(self._first_guess_db(request.goal)), TRIES, False
            else:
                (fit_request, _, exact), tries = self._request_of_fit(request), 1
            seconds = [tries * plan.seconds for plan in self._plans(fit_request, exact=exact)]
        except FAILURES:
            return Need(1.0, 1.0)
        return Need(min(seconds), max(seconds))

    def plan(self, request: Request) -> Plan | None:
        """What `file` would have fitted; None for a search, which takes one plan after another."""
        if self._searches(request.goal):
            return None
        fit_request, _, exact = self._request_of_fit(request)
        try:
            return self._plan(fit_request, exact=exact)
        except FAILURES:
            return None

    def is_beside_the_point(self, files: Sequence[Encoded], failures: Sequence[NfcError], request: Request) -> bool:
        """Whether its file would not be taken, or would hide why those that suit the picture better failed."""
        if not files:
            failed = any(not isinstance(error, TargetNotReachedError) for error in failures)
            return self.entrant.family.bounds_size and failed
        is_native = type(request.goal) in self.session.native
        return not may_win(self.session.least_bytes(request) if is_native else None, files, request.goal)

    def file(self, request: Request, coming: Sequence[Plan] = ()) -> Encoded:
        """The file for a request, whether it reaches the goal or not.

        Args:
            coming: what will be fitted after it, which is announced with it.
        """
        goal = request.goal
        if not isinstance(goal, Size):
            return self._file_at(request, coming)
        if self._searches(goal):
            in_time = self._for_many_tries(request, self._first_guess_db(goal))
            n_pixels = self.picture.raster.n_pixels
            encoded = best_within(goal.n_bytes, n_pixels, in_time, self._unpromised_at, self.session)
        else:
            encoded = self._unpromised_at(request, coming)
        reached = {"target_bytes": goal.n_bytes, "reached": len(encoded.data) <= goal.n_bytes}
        return Encoded(encoded.data, {**encoded.report, **reached})

    def _searches(self, goal: Goal) -> TypeGuard[Size]:
        """Whether the goal is a size that the session does not reach by itself."""
        return isinstance(goal, Size) and Size not in self.session.native

    def _first_guess_db(self, goal: Size) -> float:
        return first_guess_db(goal.n_bytes, self.picture.raster.n_pixels)

    def _for_many_tries(self, request: Request, psnr_db: float) -> Request:
        """The same at an effort at which there is time for as many tries as a search takes, all at about a PSNR."""
        if math.isinf(request.deadline):
            return request
        left = (request.deadline - time.monotonic()) / TRIES
        try:
            return replace(request, effort=best_of_plans(self._plans(request.at(psnr_db), exact=False), left).effort)
        except TargetNotReachedError:
            return request

    def _unpromised_at(self, request: Request, coming: Sequence[Plan] = ()) -> Encoded:
        """A file that promises the PSNR it has, as where a size is asked for."""
        return self._file_at(request, coming, promised=False)

    def _file_at(self, request: Request, coming: Sequence[Plan], *, promised: bool = True) -> Encoded:
        """Fit to a goal and write the file.

        Args:
            coming: see `file`.
            promised: whether the PSNR is what was asked for, and so what the header says.
        """
        picture, raster = self.picture, self.picture.raster
        fit_request, target_db, exact = self._request_of_fit(request)
        try:
            plan = self._plan(fit_request, exact=exact)
            for each in (plan.field, *plan.others):
                self._check_before(each)
            self.announcer.tell(plan, fit_request, coming)
            solution = self.session.fit(plan, fit_request.within(plan))
        except FormatError as error:
            raise _out_of_reach(fit_request, error) from error
        fit_request.clock(WRITING).tell(0, 0, solution.trial.psnr_db)
        chunks, header = assemble(picture, solution, target_db, exact=exact)
        if not promised:
            header = replace(header, target_psnr_db=header.psnr_db)
        data = write_chunks({**chunks, HEADER: header.pack()})
        try:
            decoded = decode(data, self.limits)
        except LimitError as error:
            error.say(f"decoders would refuse the file: {error}; limits can be raised")
            raise
        reached_db = psnr_db(decoded.samples, raster.samples, raster.peak)
        fit_request.clock(WRITING).tell(0, 0, reached_db, bits_per_pixel=8 * len(data) / raster.n_pixels)
        outcome = Outcome(self.entrant.family.name, picture.chain, plan, solution, chunks, header, data, reached_db)
        return Encoded(data, report_of(outcome, self.options))

    def _check_before(self, field: Field) -> None:
        """Refuse a field before the fit that the limits would not let anybody decode, whatever the fit makes of it."""
        geometry = self.picture.geometry
        self.limits.check("header_bytes", STEP_BYTES * field.n_tensors(geometry))
        self.limits.check_cost(field.cost(geometry))

    def _plan(self, fit_request: Request, *, exact: bool) -> Plan:
        """The best one for which there is time."""
        return best_of_plans(self._plans(fit_request, exact=exact), fit_request.deadline - time.monotonic())

    def _plans(self, fit_request: Request, *, exact: bool) -> list[Plan]:
        """The session's, with what a file holds beside the field. Raises TargetNotReachedError for what none can do."""
        more = seconds_beside(self.picture.raster, len(self.picture.chain.planes), exact=exact)
        try:
            plans = [plan.with_more_to_write(more) for plan in self.session.plans(fit_request)]
        except FormatError as error:
            raise _out_of_reach(fit_request, error) from error
        return [plan for plan in plans if plan.effort >= fit_request.least_effort] or plans

    def _request_of_fit(self, request: Request) -> tuple[Request, float, bool]:
        """What the session is asked for, the PSNR that the file promises, and whether a residual does the rest."""
        if type(request.goal) in self.session.native and not isinstance(request.goal, Psnr):
            return request, math.inf if isinstance(request.goal, Lossless) else 0.0, False
        target_db = math.inf if isinstance(request.goal, Lossless) else request.psnr_db
        policy = self.entrant.family.lossless(self.picture.raster.depth)
        if target_db > policy.from_db or math.isinf(target_db):
            return request.at(policy.fit_db), target_db, policy.fit_db < target_db
        return request, target_db, False
