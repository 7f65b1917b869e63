"""A RabbitMQ server of one's own: nothing of the machine's is used or touched, and several can run side by side."""

import os
import random
import shutil
import socket
from pathlib import Path

# Not the one in the PATH, which wants to be root or rabbitmq.
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"


def free_port():
    """Below the kernel's own range for outgoing connections, so that none of those takes it before a server does, or
    while that is restarted."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class RabbitMq:
    """The commands of a server in `folder` and of the name service that Erlang wants beside it, and their environment.
    Who runs them ends them."""

    def __init__(self, folder):
        self.folder = Path(folder, "rabbitmq")
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"
        names = str(free_port())
        self.name_service = [shutil.which("epmd") or "epmd", "-port", names, "-address", "127.0.0.1"]
        self.server = [SERVER]
        config = self.folder / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            # Half of the memory and of the disk may be others': no alarm because of them.
            "disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.relative = 0.8\n"
            "log.file = false\nlog.console = true\nlog.console.level = info\n"
        )
        plugins = self.folder / "enabled_plugins"
        plugins.write_text("[].\n")
        self.environment = os.environ | {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": names,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"sipbus{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    @staticmethod
    def is_ready(line):
        """Whether this line of the server's says that it serves."""
        return "Server startup complete" in line
