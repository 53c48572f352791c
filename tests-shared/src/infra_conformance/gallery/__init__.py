"""The galleries: faulty subjects that show that each check of a suite can fail."""

from infra_conformance.gallery.fault import Fault

__all__ = ["Fault"]
