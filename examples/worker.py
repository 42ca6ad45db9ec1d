#!/usr/bin/env python3
"""A worker in Python, standard library only: takes jobs of a Sluice queue over HTTP, runs them, settles them.

    SLUICE_API_KEY=... python3 examples/worker.py pull-demo
    SLUICE_API_KEY=... python3 examples/worker.py pull-demo --url https://sluice.example --concurrency 8

Make it yours: put your functions into PROCESSORS at the end. One is called with a Job in a thread of its own and returns
what the result is to be, as JSON. Raise anything, and the job is tried again as often as its `attempts` say; raise GiveUp,
and it is not. One that takes long looks at `job.stopped` now and then.

A job may be handed out twice when a worker dies or loses its network. Do what can be done twice.
"""

import argparse
import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import urllib.parse

LONG_POLL_SECONDS = 20
ANSWER_SECONDS = 10
MAX_PAUSE_SECONDS = 30
TRY_AGAIN = {429, 502, 503, 504}


class GiveUp(Exception):
    """Raised by a processor: another attempt cannot help."""


class Refused(Exception):
    """The API answered, and will not answer otherwise: a lease that is lost (409), a key without the right (403), ..."""

    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason = status, reason


class Away(Exception):
    """Nobody answered, or the API cannot do it just now; `seconds` is when to ask again, if it said so."""

    def __init__(self, message, seconds=None):
        super().__init__(message)
        self.seconds = seconds


class Api:
    def __init__(self, url, key):
        self.url = urllib.parse.urlsplit(url)
        self.headers = {"X-DreamFactory-API-Key": key, "Content-Type": "application/json"}

    def connection(self, timeout):
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        return kind(self.url.hostname, self.url.port, timeout=timeout)

    def ask(self, path, body, connection=None):
        """One request."""
        connection = connection or self.connection(ANSWER_SECONDS)
        try:
            path = self.url.path.rstrip("/") + "/api/v2" + path
            connection.request("POST", path, json.dumps(body), self.headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Away(f"no answer ({error})") from error
        finally:
            connection.close()
        if answer.status in TRY_AGAIN:
            seconds = answer.getheader("Retry-After", "")
            raise Away(f"{answer.status} {answer.reason}", float(seconds) if seconds.isdigit() else None)
        if answer.status >= 400:
            raise Refused(answer.status, *reason_of(text, answer.reason))
        return json.loads(text)

    def ask_until(self, given_up, path, body, connect=lambda: None):
        """Asks until there is an answer, or raises Away once the event `given_up` is set. A call that was answered unheard
        may be made again: settling a lease twice the same way answers the same."""
        pause = 0.5
        while True:
            try:
                return self.ask(path, body, connect())
            except Away as error:
                seconds = error.seconds or random.uniform(pause / 2, pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                if given_up.is_set():
                    raise
                log(f"{error}: again in {seconds:.1f} s")
                if given_up.wait(seconds):
                    raise


def reason_of(text, otherwise):
    try:
        error = json.loads(text)["error"]
        return (error["context"] or {}).get("reason"), error["message"]
    except (ValueError, KeyError, TypeError):
        return None, otherwise


class Job:
    """A job that is ours for a time. `stopped` is set when its work is for nothing: cancelled, lost, or the worker ends."""

    def __init__(self, api, taken):
        self.api, self.lease, self.attempt = api, taken["lease"], taken["attempt"]
        self.id, self.name, self.data = taken["job"]["id"], taken["job"]["name"], taken["job"]["data"]
        self.stopped = threading.Event()
        self.lost = threading.Event()

    def progress(self, value):
        self.call("progress", {"progress": value})

    def log(self, *lines):
        self.call("logs", {"lines": list(lines)})

    def call(self, verb, body):
        return self.api.ask_until(self.lost, f"/leases/{self.lease}/{verb}", body)

    def lose(self):
        """Somebody else has it, or will: nothing more is to be said about it."""
        self.lost.set()
        self.stopped.set()


class Worker:
    def __init__(self, api, queue, processors, concurrency, lease_seconds, grace_seconds):
        self.api, self.queue, self.processors = api, queue, processors
        self.lease_ms, self.grace_seconds = lease_seconds * 1000, grace_seconds
        self.slots = threading.Semaphore(concurrency)
        self.jobs, self.lock = set(), threading.Lock()
        self.stopping = threading.Event()
        self.poll = None

    def run(self):
        """Returns some time after the first SIGTERM or SIGINT, when every job is settled or given back."""
        stops = {signal.SIGTERM, signal.SIGINT}
        signal.pthread_sigmask(signal.SIG_BLOCK, stops)
        threading.Thread(target=self.beat, daemon=True).start()
        taking = threading.Thread(target=self.take, daemon=True)
        taking.start()
        log(f"{signal.Signals(signal.sigwait(stops)).name}: stopping")
        self.stopping.set()
        # The second one ends the process at once.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
        until = time.monotonic() + self.grace_seconds
        # What is given back must not come back by a request of ours that still waits.
        self.hang_up()
        taking.join(timeout=1)
        while self.held() and time.monotonic() < until:
            time.sleep(0.05)
        self.give_back()

    def held(self):
        with self.lock:
            return list(self.jobs)

    def take(self):
        """Asks for as many jobs as there are free hands; one request waits until there is something."""
        while not self.stopping.is_set():
            self.slots.acquire()
            wanted = 1
            while wanted < 100 and self.slots.acquire(blocking=False):
                wanted += 1
            taken = []
            try:
                body = {"count": wanted, "lease_ms": self.lease_ms, "wait": LONG_POLL_SECONDS}
                path = f"/queues/{self.queue}/leases"
                taken = self.api.ask_until(self.stopping, path, body, self.dial)["resource"]
            except Refused as error:
                log(f"no jobs for us: {error}")
                self.stopping.wait(MAX_PAUSE_SECONDS)
            except Away:
                pass  # The worker stops.
            for _ in range(wanted - len(taken)):
                self.slots.release()
            for each in taken:
                job = Job(self.api, each)
                with self.lock:
                    self.jobs.add(job)
                if not self.stopping.is_set():
                    threading.Thread(target=self.work, args=(job,), daemon=True).start()

    def dial(self):
        self.poll = self.api.connection(LONG_POLL_SECONDS + ANSWER_SECONDS)
        return self.poll

    def hang_up(self):
        try:
            self.poll.sock.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            pass  # Nobody waits.

    def work(self, job):
        try:
            log(f"{job.id} {job.name}, attempt {job.attempt}: begun")
            verb, body = self.attempt(job)
            if not job.lost.is_set():
                log(f"{job.id} {job.name}, attempt {job.attempt}: {self.settle(job, verb, body)['state']}")
        except Refused as error:
            log(f"{job.id} {job.name}, attempt {job.attempt}: {error}")
        except Away:
            log(f"{job.id} {job.name}: lost, the API was away for too long")
        finally:
            with self.lock:
                self.jobs.discard(job)
            self.slots.release()

    def settle(self, job, verb, body):
        try:
            return job.call(verb, body)
        except Refused as error:
            if error.status in (403, 409):
                raise
            # The result is too large, say: left alone, the job would be handed out again.
            return job.call("fail", {"error": str(error)[:2000], "retryable": False})

    def attempt(self, job):
        """Runs the processor; answers with what is to be told of it."""
        processor = self.processors.get(job.name)
        if processor is None:
            return "fail", {"error": f"this worker knows no job '{job.name}'", "retryable": False}
        try:
            result = processor(job)
            json.dumps(result, allow_nan=False)
            return "complete", {"result": result}
        except Exception as error:
            message = (str(error) or type(error).__name__)[:2000]
            return "fail", {"error": message, "retryable": not isinstance(error, GiveUp)}

    def beat(self):
        """Keeps what is held, three times within a lease, and hears whether somebody cancelled it."""
        while True:
            time.sleep(self.lease_ms / 3000)
            for job in self.held():
                threading.Thread(target=self.beat_for, args=(job,), daemon=True).start()

    def beat_for(self, job):
        try:
            # Once: the next beat is the next try.
            answer = self.api.ask(f"/leases/{job.lease}/heartbeat", {})
            if answer["cancel"]:
                job.stopped.set()
        except Refused as error:
            if job in self.held():
                log(f"{job.id} {job.name}: {error}")
            job.lose()
        except Away as error:
            log(f"no heartbeat for {job.id}: {error}")

    def give_back(self):
        for job in self.held():
            job.lose()
            try:
                self.api.ask(f"/leases/{job.lease}/release", {})
                log(f"{job.id} {job.name}: given back")
            except (Refused, Away) as error:
                log(f"{job.id} {job.name}: handed out again when its lease ends ({error})")


def log(text):
    print(text, file=sys.stderr, flush=True)


# --- Yours from here ---


def greet(job):
    return {"greeting": f"Hello {job.data['name']}"}


def count(job):
    """Counts to `to`, one a second, telling how far it is."""
    to = job.data["to"]
    for n in range(to):
        job.progress(round(100 * n / to))
        if job.stopped.wait(1):
            raise GiveUp(f"stopped at {n}")
    return {"counted": to}


PROCESSORS = {"greet": greet, "count": count}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("queue")
    parser.add_argument("--url", default=os.environ.get("SLUICE_URL", "http://localhost:8080"))
    parser.add_argument("--concurrency", type=int, default=4, help="jobs at a time (default 4)")
    parser.add_argument("--lease", type=int, default=30, help="seconds a job stays ours unheard of (default 30)")
    parser.add_argument("--grace", type=int, default=20, help="seconds to finish when told to stop (default 20)")
    args = parser.parse_args()
    key = os.environ.get("SLUICE_API_KEY")
    if not key:
        parser.exit(2, "Set SLUICE_API_KEY to a key with the scope jobs:consume.\n")
    worker = Worker(Api(args.url, key), args.queue, PROCESSORS, args.concurrency, args.lease, args.grace)
    log(f"taking jobs of '{args.queue}' from {args.url}")
    worker.run()


if __name__ == "__main__":
    main()
