# pip install testcontainers kazoo pytest; docker/build; pytest

import json
import threading
import urllib.request

from kazoo.client import KazooClient, KazooState
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy


def test_leader_loses_its_session():
    # testcontainers pulls only an image that is not on the machine.
    container = (
        DockerContainer("minikeeper")
        .with_exposed_ports(2181, 2180)
        .with_env("MINIKEEPER_CONTROL", "0.0.0.0:2180")
        .with_env("MINIKEEPER_CONTROL_TOKEN", "secret")
        .waiting_for(HealthcheckWaitStrategy())
    )
    with container:
        def address(port):
            return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"

        client = KazooClient(address(2181))
        client.start()
        client.create("/leader", b"me", ephemeral=True)
        lost = threading.Event()
        client.add_listener(lambda state: state == KazooState.LOST and lost.set())

        request = urllib.request.Request(
            f"http://{address(2180)}/v1/servers/main/sessions/{client.client_id[0]:#x}/expire",
            data=b"{}",
            headers={"Authorization": "Bearer secret", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            effects = json.load(response)["effects"]
        assert effects["deleted"] == ["/leader"]
        assert lost.wait(10)
        client.stop()
        client.close()
