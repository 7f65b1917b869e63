"""Where an example's Kamailio takes its modules from."""

import os
import re
import subprocess
from pathlib import Path


def mpath(example):
    """The value of MODULES in kamailio.cfg: folders of SIPBUS_MODULES or of the checkout that `example`, a folder, stands in,
    then Kamailio's own. None in an installed place, whose kamailio.cfg names its folders."""
    built = os.environ.get("SIPBUS_MODULES") or Path(example).parent.parent / "target/modules"
    if not Path(built).is_dir():
        return None
    told = subprocess.run(["kamailio", "-h"], capture_output=True, text=True, check=False).stdout
    stock = re.search(r"Modules search path \(default: (.*)\)", told)
    return f'"{built}/:{stock.group(1) if stock else "/usr/lib/kamailio/modules"}/"'
