// npm install testcontainers node-zookeeper-client; docker/build; node --test

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { promisify } from "node:util";
import zookeeper from "node-zookeeper-client";
import { GenericContainer, Wait } from "testcontainers";

test("a leader loses its session", async () => {
  // testcontainers pulls only an image that is not on the machine.
  const container = await new GenericContainer("minikeeper")
    .withExposedPorts(2181, 2180)
    .withEnvironment({ MINIKEEPER_CONTROL: "0.0.0.0:2180", MINIKEEPER_CONTROL_TOKEN: "secret" })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  const address = (port) => `${container.getHost()}:${container.getMappedPort(port)}`;

  const client = zookeeper.createClient(address(2181), { spinDelay: 10 });
  const expired = once(client, "expired");
  client.connect();
  await promisify(client.create).call(client, "/leader", Buffer.from("me"), zookeeper.CreateMode.EPHEMERAL);

  const session = `0x${client.getSessionId().readBigUInt64BE().toString(16)}`;
  const headers = { authorization: "Bearer secret", "content-type": "application/json" };
  const url = `http://${address(2180)}/v1/servers/main/sessions/${session}/expire`;
  const response = await fetch(url, { method: "POST", headers, body: "{}" });
  const { effects } = await response.json();
  assert.deepEqual(effects.deleted, ["/leader"]);
  await expired;

  await container.stop();
});
