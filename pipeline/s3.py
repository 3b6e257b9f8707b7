"""Files on S3 and on stores that speak its protocol: one request where fsspec's general way takes several.

Endpoint, credentials, region and retries of single requests come from AWS's standard settings (AWS_ENDPOINT_URL,
AWS_PROFILE, AWS_MAX_ATTEMPTS, ~/.aws/config, ...), as botocore reads them. An object above 100 MB is written in parts
and appears when the last is there; parts that a killed process left are removed by `remove_unfinished`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, NamedTuple, NoReturn

from fsspec.asyn import sync

from pipeline.errors import UsageError
from pipeline.remote import Passing, RemoteFiles, ranged

PROTOCOLS = ("s3", "s3a")
CONNECT_SECONDS, READ_SECONDS = 10, 60  # until a connection stands; until the next byte of an answer
TAIL = 1 << 20  # bytes; a file up to this size is opened by one request, of a larger one this much (a Parquet's footer)
CONNECTIONS = 32  # of one process

_PASSING = {
    *("InternalError", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"),
    *("TooManyRequests", "429", "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"),
    *("OperationAborted", "ConditionalRequestConflict", "NoSuchUpload"),  # another request was at the same object
}
_NOT_THERE = {"NoSuchKey", "NoSuchVersion", "404"}
_UNSUPPORTED = {"NotImplemented", "501"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}


class Unsupported(UsageError):
    """The store does not know what was asked of it."""


class _NoSuchRange(OSError):
    """A range was asked of an empty file."""


class Held(NamedTuple):
    """An object as it stands: its content, the tag of that content, and seconds since it was written."""

    data: bytes
    tag: str
    age: float  # by the store's own clock


class S3Files(RemoteFiles):
    """See pipeline.files.Files."""

    def __init__(self, root: str) -> None:
        config = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "max_pool_connections": CONNECTIONS,
        }
        super().__init__(root, config_kwargs=config)
        self.fs.retries = 1  # botocore tries a request again, and `again` an operation: a third layer would multiply

    def read(self, path: str) -> bytes:
        # Without max_concurrency s3fs asks for the size first.
        data: bytes = self.again(self.fs.cat_file, self.full(path), max_concurrency=1)
        return data

    def open(self, path: str) -> BinaryIO:
        bucket, key = self._place(path)

        async def read_tail() -> tuple[bytes, int]:
            answer = await self.fs._call_s3("get_object", Bucket=bucket, Key=key, Range=f"bytes=-{TAIL}")
            async with answer["Body"] as body:  # which ends the connection where half an answer came
                data = await body.read()
            return data, int(answer.get("ContentRange", f"/{len(data)}").rpartition("/")[2])

        try:
            data, size = self.again(sync, self.fs.loop, read_tail)
        except _NoSuchRange:
            return io.BytesIO()
        return io.BytesIO(data) if len(data) == size else ranged(self, path, size, data)

    def exists(self, path: str) -> bool:
        bucket, key = self._place(path)
        found = self._first_key(bucket, key)
        if found is None or found == key or found.startswith(f"{key}/"):
            return found is not None
        return self._first_key(bucket, f"{key}/") is not None  # a sibling such as key-2 came before it

    def size(self, path: str) -> int | None:
        bucket, key = self._place(path)
        found = self._call("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", ())
        return int(found[0]["Size"]) if found and found[0]["Key"] == key else None

    def sizes(self, path: str) -> dict[str, int | None]:
        bucket, key = self._place(path)
        prefix = f"{key}/" if key else ""
        found: dict[str, int | None] = {}
        for page in self._pages(Bucket=bucket, Prefix=prefix, Delimiter="/"):
            found |= {entry["Prefix"][len(prefix) : -1]: None for entry in page.get("CommonPrefixes", ())}
            found |= {entry["Key"][len(prefix) :]: entry["Size"] for entry in page.get("Contents", ())}
        found.pop("", None)  # an object that some tools write in place of the folder
        return found

    def move(self, source: str, target: str) -> None:
        self.again(self.fs.cp_file, self.full(source), self.full(target))
        bucket, key = self._place(source)
        self._call("delete_object", Bucket=bucket, Key=key)

    def remove(self, path: str) -> None:
        bucket, key = self._place(path)
        for page in self._pages(Bucket=bucket, Prefix=key):
            keys = [entry["Key"] for entry in page.get("Contents", ())]
            keys = [found for found in keys if not key or found == key or found.startswith(f"{key}/")]
            if keys:
                self.again(self._delete, bucket, keys)

    def remove_unfinished(self, path: str) -> None:
        bucket, key = self._place(path)
        try:
            uploads = self._call("list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/" if key else "")
        except UsageError:
            return  # not every store lists them, or lets everyone; then a lifecycle rule of the bucket removes them
        for upload in uploads.get("Uploads", ()):
            try:
                self._call("abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            except FileNotFoundError:
                continue

    # ---- writing on conditions, for the lock

    def create(self, path: str, data: bytes) -> str | None:
        """Write an object that is not there, and return its tag; None where there is one."""
        return self._put(path, data, IfNoneMatch="*")

    def replace(self, path: str, data: bytes, tag: str) -> str | None:
        """Write an object in place of the one of this tag, and return the new tag; None where it is another or gone."""
        return self._put(path, data, IfMatch=tag)

    def release(self, path: str, tag: str) -> None:
        """Remove the object of this tag, if that works at once."""
        bucket, key = self._place(path)
        with suppress(Exception):
            self.fs.call_s3("delete_object", Bucket=bucket, Key=key, IfMatch=tag)

    def held(self, path: str) -> Held | None:
        """An object with its tag and age; None where there is none."""
        bucket, key = self._place(path)

        async def read() -> Held:
            answer = await self.fs._call_s3("get_object", Bucket=bucket, Key=key)
            async with answer["Body"] as body:
                data = await body.read()
            sent = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            now = parsedate_to_datetime(sent) if sent else datetime.now(UTC)
            return Held(data, answer["ETag"], (now - answer["LastModified"]).total_seconds())

        try:
            return self.again(sync, self.fs.loop, read)
        except FileNotFoundError:
            return None

    def _put(self, path: str, data: bytes, **condition: str) -> str | None:
        bucket, key = self._place(path)
        try:
            return str(self._call("put_object", Bucket=bucket, Key=key, Body=data, **condition)["ETag"])
        except (FileExistsError, FileNotFoundError):
            return None

    # ---- requests

    def _place(self, path: str) -> tuple[str, str]:
        bucket, key, _ = self.fs.split_path(self.full(path))
        return bucket, key

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.again(self.fs.call_s3, method, **arguments)
        return answer

    def _first_key(self, bucket: str, prefix: str) -> str | None:
        found = self._call("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents", ())
        return found[0]["Key"] if found else None

    def _pages(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self._call("list_objects_v2", **arguments)
            yield page
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def _delete(self, bucket: str, keys: list[str]) -> None:
        from botocore.exceptions import ClientError

        listed = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        for error in self.fs.call_s3("delete_objects", Bucket=bucket, Delete=listed).get("Errors", ()):
            raise ClientError({"Error": error}, "DeleteObjects")

    # ---- what failures mean

    def judge(self, error: Exception) -> NoReturn:
        import aiohttp
        from botocore import exceptions as boto
        from botocore.parsers import ResponseParserError

        cause = error if isinstance(error, (boto.BotoCoreError, boto.ClientError)) else error.__cause__
        if isinstance(cause, boto.ClientError):
            self._judge_answer(error, cause.response)
        if isinstance(cause, (boto.ReadTimeoutError, boto.ConnectTimeoutError)) or isinstance(error, TimeoutError):
            raise Passing("does not answer in time") from error
        if isinstance(cause, boto.HTTPClientError) or isinstance(error, (aiohttp.ClientError, ConnectionError)):
            raise Passing(f"cannot be reached ({type(cause or error).__name__})") from error
        if isinstance(cause, boto.IncompleteReadError) or isinstance(error, ResponseParserError):
            raise Passing("sends broken answers") from error
        if isinstance(cause, (boto.NoCredentialsError, boto.PartialCredentialsError)):
            raise UsageError(
                f"'{self.root}': there are no credentials for the store; give them as for the AWS command line, with "
                "AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from None
        if isinstance(cause, boto.BotoCoreError) or (isinstance(error, ValueError) and "endpoint" in str(error)):
            raise UsageError(f"'{self.root}' cannot be used ({_said(cause or error)}); check AWS's settings.") from None
        super().judge(error)

    def _judge_answer(self, error: Exception, answer: Any) -> NoReturn:
        self.reached = True
        code, status = str(answer["Error"].get("Code")), answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _UNSUPPORTED:
            raise Unsupported(f"'{self.root}': the store does not support what Quarry needs of S3 ({code}).") from None
        if code in _PASSING or status >= 500:
            raise Passing(f"answers '{code}'") from error
        if code == "NoSuchBucket":
            bucket, _ = self._place("")
            raise UsageError(f"'{self.root}': there is no bucket '{bucket}'; create it, or correct its name.") from None
        if code in _EXPIRED:
            raise UsageError(
                f"'{self.root}': the credentials have expired ({code}); renew them and run again."
            ) from None
        if status == 403 or isinstance(error, PermissionError):
            raise UsageError(
                f"'{self.root}': the store refuses access ({code}); check the credentials and what they permit."
            ) from None
        if code == "InvalidRange":
            raise _NoSuchRange(code) from None
        if code == "PreconditionFailed":
            raise FileExistsError(code) from None
        if code in _NOT_THERE or isinstance(error, FileNotFoundError):
            raise FileNotFoundError(code) from None
        raise UsageError(f"'{self.root}': the store refuses a request ({code}); check its address and AWS's settings.")


def _said(error: BaseException) -> str:
    """The first line of a message, without what may be credentials in a URL."""
    return re.sub(r"[^\s/\"']+@", "", str(error).split("\n")[0].rstrip("."))
