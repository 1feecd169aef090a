"""The terms of descriptions: namespaces, sensors, and what a core can run (S1 of docs/reference/semantics.md)."""

from __future__ import annotations

from typing import Final

OWN: Final = "urn:jaragua:vocabulary:"
TD_CONTEXT: Final = "https://www.w3.org/2022/wot/td/v1.1"
MQTT: Final = "https://www.w3.org/2019/wot/mqtt#"
TD: Final = "https://www.w3.org/2019/wot/td#"
NNET: Final = "https://w3id.org/tinyml-schema/neural-network-schema#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
SCHEMA: Final = "https://schema.org/"
SOSA_EXTEND: Final = "https://w3id.org/tinyml-schema/neural-network-schema/sosa_extend/"
S3N_EXTEND: Final = "https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend/"
SSN_EXTEND: Final = "https://w3id.org/tinyml-schema/neural-network-schema/ssn_extend/"

#: Prefix -> namespace, as every document that is written has them (S1.2).
PREFIXES: Final = {
    "jrg": OWN,
    "nnet": NNET,
    "om": "http://www.ontology-of-units-of-measure.org/resource/om-2/",
    "rdf": RDF,
    "rdfs": RDFS,
    "s3n": "http://w3id.org/s3n/",
    "s3n_extend": S3N_EXTEND,
    "schema": SCHEMA,
    "sosa": "http://www.w3.org/ns/sosa/",
    "sosa_extend": SOSA_EXTEND,
    "ssn": "http://www.w3.org/ns/ssn/",
    "ssn-system": "http://www.w3.org/ns/ssn/systems/",
    "ssn_extend": SSN_EXTEND,
    "td": TD,
    "xsd": XSD,
}

#: A sensor as an owner writes it -> its class; those that the TinyML schema lacks are our own (S1.3).
SENSORS: Final = {
    "accelerometer": SOSA_EXTEND + "Accelerometer",
    "camera": SOSA_EXTEND + "Camera",
    "gas": OWN + "GasSensor",
    "gesture": OWN + "GestureSensor",
    "gyroscope": SOSA_EXTEND + "Gyroscope",
    "humidity": OWN + "HumiditySensor",
    "light": OWN + "LightSensor",
    "magnetometer": OWN + "Magnetometer",
    "microphone": SOSA_EXTEND + "Microphone",
    "pressure": OWN + "PressureSensor",
    "proximity": OWN + "ProximitySensor",
    "temperature": OWN + "TemperatureSensor",
}

#: A core -> the cores whose builds it runs, the best first (S5.2): instruction sets that contain another.
RUNS_BUILDS_OF: Final[dict[str, tuple[str, ...]]] = {
    "cortex_m0": ("cortex_m0plus",),
    "cortex_m0plus": ("cortex_m0plus",),
    "cortex_m3": ("cortex_m0plus",),
    "cortex_m4": ("cortex_m4", "cortex_m0plus"),
    "cortex_m7": ("cortex_m4", "cortex_m0plus"),
    "cortex_m33": ("cortex_m0plus",),
    "rv32imc": ("rv32imc",),
}


def expand(name: str) -> str:
    """The IRI of `prefix:local`."""
    prefix, _, local = name.partition(":")
    return PREFIXES[prefix] + local
