"""The conformance kit: suites that show whether an implementation keeps the promises of its port."""

from infra_conformance.broker import BrokerOptions, Brokers, BrokerSuite
from infra_conformance.cache import CacheSuite
from infra_conformance.compression import CompressorSuite
from infra_conformance.examine import examine
from infra_conformance.health import CheckedDependency, HealthCheckSuite
from infra_conformance.health_composite import CompositeHealthCheckSuite, Composites
from infra_conformance.health_proxied import ProxiedDependency
from infra_conformance.jwt_forger import Forger
from infra_conformance.jwt_provider import JWTProviderSuite
from infra_conformance.machine import Machine, rule
from infra_conformance.pool import Connection, ConnectionPoolSuite, Pools
from infra_conformance.pool_factory import ConnectionFactorySuite, Trace
from infra_conformance.proof import ConformanceFailure, check, modelled, swept
from infra_conformance.repository import RepositorySuite
from infra_conformance.shared_cache import SharedCaches, SharedCacheSuite
from infra_conformance.store import StoreSuite
from infra_conformance.suite import Check, Suite
from infra_conformance.token_store import TokenStoreSuite
from infra_conformance.trial import Trial, expect, expect_one_of, refused

__all__ = [
    "BrokerOptions",
    "BrokerSuite",
    "Brokers",
    "CacheSuite",
    "Check",
    "CheckedDependency",
    "CompositeHealthCheckSuite",
    "Composites",
    "CompressorSuite",
    "ConformanceFailure",
    "Connection",
    "ConnectionFactorySuite",
    "ConnectionPoolSuite",
    "Forger",
    "HealthCheckSuite",
    "JWTProviderSuite",
    "Machine",
    "Pools",
    "ProxiedDependency",
    "RepositorySuite",
    "SharedCacheSuite",
    "SharedCaches",
    "StoreSuite",
    "Suite",
    "TokenStoreSuite",
    "Trace",
    "Trial",
    "check",
    "examine",
    "expect",
    "expect_one_of",
    "modelled",
    "refused",
    "rule",
    "swept",
]
