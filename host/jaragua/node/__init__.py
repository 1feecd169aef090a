"""What gateway and Pi client share: the MQTT session of a node, its outbox, its blobs, its task_sampler, its jobs."""
