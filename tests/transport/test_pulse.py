from greenrelay import process
from greenrelay.transport.connection import Connection
from tests.relaying import relaying


def test_a_new_heartbeat_interval_counts_from_the_change_not_from_the_opening() -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()
        connection = bench.node.processes[client_pid]
        assert isinstance(connection, Connection)

        bench.target.do(process.send, client_pid, "ws.control", {"heartbeat_interval": 3600})

        heartbeat = connection._pulse._heartbeat
        assert heartbeat is not None
        assert heartbeat.due_at > connection.opened_at + 3600
