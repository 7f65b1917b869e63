"""The programs an example starts, and one place where all that they say comes together, so that the
example can wait for it: no sleeping, no reading of half-written files."""

import os
import signal
import subprocess
import threading
import time


class Failure(Exception):
    """The example did not go as it should; the text says how, in a sentence."""


class Journal:
    """What was said, by whom, in order: log lines of the programs and events of the subscriber."""

    def __init__(self):
        self.entries = []
        self.changed = threading.Condition()

    def add(self, source, text):
        with self.changed:
            self.entries.append((source, text))
            self.changed.notify_all()

    def follow(self, source, texts):
        """Adds what comes out of an iterator, in a thread of its own."""

        def copy():
            try:
                for text in texts:
                    self.add(source, text)
            except (OSError, ValueError):
                pass  # closed at the end of the example
            self.add(source, None)

        threading.Thread(target=copy, daemon=True).start()

    def wait(self, source, matches, what, seconds=30):
        """The first text of this source for which matches(text) is true."""
        deadline = time.monotonic() + seconds
        with self.changed:
            seen = 0
            while True:
                for who, text in self.entries[seen:]:
                    if who == source and text is None:
                        raise Failure(f"{source} ended while the example waited for {what}.")
                    if who == source and matches(text):
                        return text
                seen = len(self.entries)
                if not self.changed.wait(deadline - time.monotonic()):
                    raise Failure(f"There was no {what} within {seconds} seconds.")

    def after(self, seen):
        """Blocks until there are more than `seen` entries, and returns those."""
        with self.changed:
            while len(self.entries) <= seen:
                self.changed.wait()
            return self.entries[seen:]

    def tail(self, source, lines):
        return [text for who, text in self.entries if who == source and text is not None][-lines:]


class Program:
    """A server in the foreground, its output in the journal. In a session of its own, so that Ctrl-C reaches the
    example only, which then stops its servers in order."""

    def __init__(self, journal, name, command, folder, stdin=subprocess.DEVNULL, env=None):
        self.name = name
        try:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=stdin,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise Failure(f"{command[0]} does not start: {error.strerror}.") from error
        journal.follow(name, (line.rstrip("\n") for line in self.process.stdout))

    def stop(self):
        """Asks it to end, and waits until it has. Its exit status; negative when a signal ended it."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()
