"""The tree of errors: what each class is, and what an error tells, hides and survives."""

import copy
import inspect
import json
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infra_protocols
from infra_protocols import (
    AlgorithmMismatchError,
    AudienceMismatchError,
    AuthenticationError,
    BacklogFullError,
    BrokerClosedError,
    BrokerRefusedError,
    BrokerUnavailableError,
    CacheError,
    CacheRefusedError,
    CacheTypeError,
    CacheUnavailableError,
    ClaimInvalidError,
    ClaimMissingError,
    CompressionError,
    CorruptDataError,
    DecodeError,
    DecryptionError,
    DispatchError,
    EncodingUnavailableError,
    EntityExistsError,
    EntityNotFoundError,
    ForbiddenError,
    HandlerCancelledError,
    HandlerTimeoutError,
    HealthAnswerError,
    HealthError,
    HealthLimitError,
    HealthStaleError,
    HealthTimeoutError,
    InfrastructureError,
    IssuerMismatchError,
    KeySourceUnavailableError,
    KeyUnknownError,
    LoadCancelledError,
    LoadCycleError,
    MessagingError,
    NotAcceptableError,
    OutboxRefusedError,
    OutboxUnavailableError,
    OutputTooLargeError,
    PayloadInvalidError,
    PoolClosedError,
    PoolError,
    PoolExhaustedError,
    PoolLeaseError,
    PoolLoopError,
    PoolTimeoutError,
    RequestFailedError,
    RequestTimeoutError,
    SecurityError,
    ServiceError,
    SignatureInvalidError,
    SubjectMismatchError,
    TaskError,
    TokenExistsError,
    TokenExpiredError,
    TokenHeaderError,
    TokenIssuedInFutureError,
    TokenMalformedError,
    TokenNotFoundError,
    TokenNotYetValidError,
    TokenReusedError,
    TokenRevokedError,
    TokenStoreRefusedError,
    TokenStoreUnavailableError,
    TokenTooLargeError,
    TokenTypeMismatchError,
    UnknownEncodingError,
    ValidationError,
    correlation_id,
)

PARENTS: dict[type[InfrastructureError], tuple[type[Exception], ...]] = {
    AuthenticationError: (InfrastructureError,),
    SecurityError: (InfrastructureError,),
    AlgorithmMismatchError: (AuthenticationError,),
    AudienceMismatchError: (AuthenticationError,),
    ClaimInvalidError: (AuthenticationError,),
    ClaimMissingError: (AuthenticationError,),
    IssuerMismatchError: (AuthenticationError,),
    KeySourceUnavailableError: (AuthenticationError, ConnectionError),
    KeyUnknownError: (AuthenticationError,),
    PayloadInvalidError: (AuthenticationError,),
    SignatureInvalidError: (AuthenticationError,),
    SubjectMismatchError: (AuthenticationError,),
    TokenExistsError: (AuthenticationError,),
    TokenExpiredError: (AuthenticationError,),
    TokenHeaderError: (AuthenticationError,),
    TokenIssuedInFutureError: (AuthenticationError,),
    TokenMalformedError: (AuthenticationError,),
    TokenNotFoundError: (AuthenticationError, LookupError),
    TokenNotYetValidError: (AuthenticationError,),
    TokenRevokedError: (AuthenticationError,),
    TokenStoreRefusedError: (AuthenticationError,),
    TokenStoreUnavailableError: (AuthenticationError, ConnectionError),
    TokenTypeMismatchError: (AuthenticationError,),
    TokenTooLargeError: (TokenMalformedError,),
    TokenReusedError: (TokenRevokedError,),
    ForbiddenError: (SecurityError, PermissionError),
    DecryptionError: (SecurityError, ValueError),
    CacheError: (InfrastructureError,),
    CacheTypeError: (CacheError, TypeError),
    CacheRefusedError: (CacheError,),
    CacheUnavailableError: (CacheError, ConnectionError),
    LoadCycleError: (CacheError, RuntimeError),
    LoadCancelledError: (CacheError,),
    PoolError: (InfrastructureError,),
    PoolClosedError: (PoolError,),
    PoolExhaustedError: (PoolError,),
    PoolLeaseError: (PoolError,),
    PoolLoopError: (PoolError, RuntimeError),
    PoolTimeoutError: (PoolError, TimeoutError),
    HealthError: (InfrastructureError,),
    HealthAnswerError: (HealthError,),
    HealthLimitError: (HealthError,),
    HealthStaleError: (HealthError,),
    HealthTimeoutError: (HealthError, TimeoutError),
    ServiceError: (InfrastructureError,),
    CompressionError: (ServiceError,),
    CorruptDataError: (CompressionError, ValueError),
    EncodingUnavailableError: (CompressionError,),
    NotAcceptableError: (CompressionError,),
    OutputTooLargeError: (CompressionError,),
    UnknownEncodingError: (CompressionError, LookupError),
    MessagingError: (ServiceError,),
    BacklogFullError: (BrokerRefusedError,),
    BrokerClosedError: (MessagingError,),
    BrokerRefusedError: (MessagingError,),
    BrokerUnavailableError: (MessagingError, ConnectionError),
    DispatchError: (MessagingError,),
    HandlerCancelledError: (MessagingError,),
    HandlerTimeoutError: (MessagingError, TimeoutError),
    OutboxRefusedError: (MessagingError,),
    OutboxUnavailableError: (MessagingError, ConnectionError),
    RequestFailedError: (MessagingError,),
    RequestTimeoutError: (MessagingError, TimeoutError),
    TaskError: (ServiceError,),
    EntityExistsError: (ServiceError,),
    EntityNotFoundError: (ServiceError, LookupError),
    ValidationError: (InfrastructureError, ValueError),
    DecodeError: (InfrastructureError, ValueError),
}


def tree(root: type[InfrastructureError]) -> Iterator[type[InfrastructureError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


CLASSES = [cls for cls in tree(InfrastructureError) if cls.__module__ == "infra_protocols"]
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


class SeatError(PoolError, TimeoutError):
    """What a downstream package may define: another builtin, a signature and data of its own."""

    error_code = "SEAT_TAKEN"

    def __init__(self, row: int, seat: str) -> None:
        super().__init__("Seat taken", operation="hall.book", parameters={"row": row, "seat": seat})
        self.row = row
        self.seat = seat


class TestTree:
    def test_holds_what_is_public(self) -> None:
        public = {value for value in vars(infra_protocols).values() if inspect.isclass(value)}
        assert {cls for cls in public if issubclass(cls, Exception)} == set(CLASSES)
        assert set(CLASSES) == {InfrastructureError, *PARENTS}

    @every_class
    def test_has_each_class_under_its_parents(self, cls: type[InfrastructureError]) -> None:
        assert cls.__bases__ == PARENTS.get(cls, (Exception,))

    def test_gives_each_class_a_code_of_its_own(self) -> None:
        assert len({cls.error_code for cls in CLASSES}) == len(CLASSES)
        assert all("error_code" in vars(cls) for cls in CLASSES)

    @every_class
    def test_names_each_class_as_it_is_imported(self, cls: type[InfrastructureError]) -> None:
        assert getattr(infra_protocols, cls.__name__) is cls
        last = traceback.format_exception_only(cls("boom"))[-1]
        assert last == f"infra_protocols.{cls.__name__}: boom\n"

    def test_leaves_the_modules_of_others_alone(self) -> None:
        assert SeatError.__module__ == __name__


class TestWhatItTells:
    def test_everything(self) -> None:
        error = CacheError("Boom", operation="cache.set", parameters={"key": "k", "ttl": 3}, correlation_id="req-1")
        assert str(error) == "Boom [operation='cache.set', correlation_id='req-1', key='k', ttl=3]"
        assert repr(error) == f"CacheError({str(error)!r})"
        assert error.args == ("Boom",)
        assert error.to_dict() == {
            "error_code": "CACHE_ERROR",
            "message": "Boom",
            "operation": "cache.set",
            "parameters": {"key": "k", "ttl": 3},
            "correlation_id": "req-1",
        }

    def test_no_more_than_the_message(self) -> None:
        error = CacheError("Boom")
        assert str(error) == "Boom"
        assert (error.operation, error.parameters, error.correlation_id) == (None, {}, None)

    def test_parameters_named_like_what_stands_before_them(self) -> None:
        error = CacheError("Boom", operation="a", parameters={"operation": "b"})
        assert str(error) == "Boom [operation='a', operation='b']"

    def test_a_copy_of_the_parameters(self) -> None:
        tags = ["a"]
        parameters: dict[str, object] = {"tags": tags}
        error = CacheError("Boom", parameters=parameters)
        tags.append("b")
        parameters["key"] = "k"
        assert error.parameters == {"tags": ["a"]}
        error.to_dict()["parameters"] = None
        assert error.parameters == {"tags": ["a"]}

    def test_of_a_validation_the_field_and_the_kind(self) -> None:
        error = ValidationError("Bad", field="ttl", kind="int", parameters={"min": 0})
        assert (error.field, error.kind) == ("ttl", "int")
        assert list(error.parameters.items()) == [("field", "ttl"), ("kind", "int"), ("min", 0)]
        assert ValidationError("Bad").parameters == {}

    def test_of_what_cannot_be_decoded_the_path_and_the_kind(self) -> None:
        error = DecodeError("Bad", path="value.name", kind="int", parameters={"key": "k"})
        assert (error.path, error.kind) == ("value.name", "int")
        assert list(error.parameters.items()) == [("path", "value.name"), ("kind", "int"), ("key", "k")]
        assert DecodeError("Bad").parameters == {}

    def test_only_keywords_beside_the_message(self) -> None:
        make: Any = InfrastructureError
        with pytest.raises(TypeError):
            make("boom", "cache.set")


class TestCorrelation:
    def test_is_taken_from_the_context(self) -> None:
        token = correlation_id.set("req-7")
        try:
            error = CacheError("Boom")
            told = CacheError("Boom", correlation_id="other")
        finally:
            correlation_id.reset(token)
        assert error.correlation_id == "req-7"
        assert told.correlation_id == "other"
        assert CacheError("Boom").correlation_id is None

    def test_survives_pickling_in_another_context(self) -> None:
        pickled = pickle.dumps(CacheError("Boom", correlation_id="req-7"))
        token = correlation_id.set("req-8")
        try:
            assert pickle.loads(pickled).correlation_id == "req-7"
        finally:
            correlation_id.reset(token)


def same(one: InfrastructureError, other: InfrastructureError) -> bool:
    return (type(one), one.args, vars(one)) == (type(other), other.args, vars(other)) and str(one) == str(other)


class TestCopies:
    @every_class
    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, cls: type[InfrastructureError], protocol: int) -> None:
        error = cls("Boom", operation="x.y", parameters={"a": [1, {"b": None}]}, correlation_id="req-1")
        error.add_note("seen here")
        loaded = pickle.loads(pickle.dumps(error, protocol))
        assert same(loaded, error)
        assert loaded.to_dict() == error.to_dict()
        assert loaded.__notes__ == ["seen here"]

    def test_pickles_a_class_with_a_signature_of_its_own(self) -> None:
        loaded = pickle.loads(pickle.dumps(SeatError(3, "b")))
        assert same(loaded, SeatError(3, "b"))
        assert (loaded.row, loaded.seat) == (3, "b")
        assert isinstance(loaded, TimeoutError)

    def test_pickles_a_validation_with_its_field(self) -> None:
        loaded = pickle.loads(pickle.dumps(ValidationError("Bad", field="ttl", kind="int")))
        assert (loaded.field, loaded.kind) == ("ttl", "int")

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    @pytest.mark.parametrize("error", [ValidationError("Bad", field="ttl", kind="int"), SeatError(3, "b")], ids=repr)
    def test_copies(self, error: InfrastructureError, duplicate: Any) -> None:
        assert same(duplicate(error), error)
        assert duplicate(error) is not error

    def test_a_deep_copy_shares_nothing(self) -> None:
        error = CacheError("Boom", parameters={"tags": ["a"]})
        duplicate = copy.deepcopy(error)
        assert duplicate.parameters == error.parameters
        assert duplicate.parameters["tags"] is not error.parameters["tags"]


def everything_told(error: InfrastructureError) -> str:
    told = [str(error), repr(error), repr(error.args), json.dumps(error.to_dict()), repr(vars(error))]
    return "\n".join([*told, pickle.dumps(error, 0).decode("latin-1"), *traceback.format_exception(error)])


SECRET = "hunter2"


class Login:
    def __repr__(self) -> str:
        return SECRET


class TestSecrets:
    @pytest.mark.parametrize(
        "parameters",
        [
            {"password": SECRET},
            {"api_key": SECRET},
            {"accessToken": SECRET},
            {"request": {"headers": {"Authorization": f"Bearer {SECRET}"}}},
            {"request": {"headers": [("Host", "example.org"), ("Authorization", SECRET)]}},
            {"users": [{"name": "ada", "userPassword": [SECRET]}]},
            {"key_material": {"anything": SECRET}},
            {"url": f"postgres://ada:{SECRET}@db/app"},
            {"dsn": f"host=db user=ada password={SECRET}"},
            {"body": SECRET.encode()},
            {"value": Login()},
        ],
        ids=lambda parameters: "-".join(parameters),
    )
    def test_are_told_nowhere(self, parameters: dict[str, object]) -> None:
        error = InfrastructureError("Boom", parameters=parameters)
        assert SECRET not in everything_told(error)
        assert set(error.parameters) == set(parameters)

    def test_are_not_told_by_a_subclass_that_hands_them_on(self) -> None:
        error = ValidationError("Bad", field="password", kind="str", parameters={"password": SECRET})
        assert SECRET not in everything_told(error)
        assert error.field == "password"

    @pytest.mark.parametrize("text", [f"cannot reach redis://:{SECRET}@cache:6379/0", f"refused: password={SECRET}"])
    def test_are_not_told_by_a_message_that_was_made_of_another_error(self, text: str) -> None:
        assert SECRET not in everything_told(PoolError(text))

    # A secret that is part of the names around it would be found there.
    @given(
        st.sampled_from(["token", "password", "authorization", "keyMaterial", "API-KEY", "clientSecret", "db.passwd"]),
        st.text(st.characters(min_codepoint=0x3B1, max_codepoint=0x3C9), min_size=4),
    )
    @settings(max_examples=100, deadline=None)
    def test_of_any_text_are_told_nowhere(self, name: str, secret: str) -> None:
        for parameters in ({name: secret}, {"outer": {name: secret}}, {"outer": [{name: {"inner": secret}}]}):
            error = InfrastructureError("Boom", parameters=parameters)
            assert secret not in str(error)
            assert secret not in repr(error)
            assert secret not in json.dumps(error.to_dict(), ensure_ascii=False)


class TestMessage:
    @given(st.text(st.characters(exclude_characters=":=", codec="utf-8")))
    @settings(max_examples=100, deadline=None)
    def test_is_told_as_it_is(self, text: str) -> None:
        error = InfrastructureError(text)
        assert error.message == text
        assert str(error) == text

    def test_with_lone_surrogates_can_be_written(self) -> None:
        error = InfrastructureError("bad \ud800 name", parameters={"name": "\udfff"})
        json.dumps(error.to_dict(), ensure_ascii=False).encode()
        str(error).encode()
