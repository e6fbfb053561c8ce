"""Finds and stops what a killed supervisor left behind, by the pid files in the data folder."""

from stack import postgres, rabbitmq
from stack.layout import SERVICES, DataFolder
from stack.processes import stop_marked
from stack.results import Stopped


def stop_leftovers(folder: DataFolder) -> Stopped:
    """Services first, then the servers that they use. Only to be called while no supervisor holds the folder."""
    stopped, killed = stop_marked({service: folder.mark_of(service) for service in SERVICES})
    for name, server, place in (("rabbitmq", rabbitmq, folder.rabbitmq), ("postgres", postgres, folder.postgres)):
        if server.is_running(place):
            stopped.append(name)
            if server.stop_leftover(place):
                killed.append(name)
    return Stopped(tuple(stopped), tuple(killed))
