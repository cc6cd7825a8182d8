#!/usr/bin/python3
"""The peer of bench E3: a consumer that handles one record after the other, as tutorials show it.

    plain_consumer.py BROKERS TOPIC PARTITION MODEL_URL COUNT

Says "ready" when its position is fixed, then answers COUNT records and prints the 99th percentile
from a record's time stamp to the end of its answer.
"""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

from confluent_kafka import OFFSET_END, Consumer, TopicPartition


def ask(connection, path, text):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"hello {text}"}]})
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"the model answered {answer.status}")
    return json.loads(answer.read())["choices"][0]["message"]["content"]


def main():
    brokers, topic, partition, url, count = sys.argv[1:]
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "plain-consumer",
                         "enable.auto.commit": False, "auto.offset.reset": "error"})
    where = TopicPartition(topic, int(partition))
    low, high = consumer.get_watermark_offsets(where, 10)
    consumer.assign([TopicPartition(topic, int(partition), high if high >= low else OFFSET_END)])
    print("ready", flush=True)
    took = []
    while len(took) < int(count):
        message = consumer.poll(1)
        if message is None or message.error():
            continue
        ask(connection, parts.path, message.value().decode())
        took.append(time.time() * 1000 - message.timestamp()[1])
    consumer.close()
    print(json.dumps({"p99_ms": sorted(took)[int(len(took) * 0.99)], "units": len(took)}))


if __name__ == "__main__":
    main()
