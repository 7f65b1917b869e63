"""What the stands of nats.so and kazoo.so have in common: a server of their own, a Kamailio with one of the two
modules, and subscribers."""

import shutil
import sys
import tempfile
from pathlib import Path

from common.harness import OURS, mpath
from common.kamailio import Kamailio
from common.process import Failure


class Stand:
    """A context: inside it everything runs, after it everything has ended. Without a module only the server is
    there."""

    # Its Kamailio's configuration.
    config = None

    def __init__(self, module, children=4):
        self.module = module
        self.children = children
        self.programs = []
        self.counters = []

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sipbus-bench-"))
        try:
            self.start_server()
            if self.module:
                self.start_kamailio()
        except BaseException:
            self.__exit__(sys.exc_info()[0])
            raise
        return self

    def __exit__(self, kind=None, *_):
        if kind is Failure:
            for program in self.programs:
                print(f"{program.name}, the end of its log:\n{program.tail()}", file=sys.stderr)
        # Kamailio before the server, to which it may still have something to say.
        for program in reversed(self.programs):
            program.stop()
        for counter in self.counters:
            counter.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_kamailio(self, defines):
        folder = self.folder / "kamailio"
        folder.mkdir()
        defines = {"CHILDREN": str(self.children)} | defines
        self.kamailio = Kamailio(self.config, mpath(self.module), defines, folder)
        self.programs.append(self.kamailio)
        self.kamailio.wait_until_it_answers()

    def loops(self, route, count):
        """One in each SIP worker at once; what each answers. They are long enough that no worker can do the work of
        two."""
        for _ in range(self.children):
            self.kamailio.sip.send(route, count)
        return [self.kamailio.sip.receive() for _ in range(self.children)]

    def warm_up(self, count):
        """Each SIP worker has published and every part of the way was used."""
        accepted = self.children * count - sum(refused for _, refused in self.loops("publish", count))
        arrived = self.counter.take(accepted)[0]
        if self.module == OURS and arrived != accepted:
            raise Failure(f"{arrived} of {accepted} messages to warm up arrived.")
