"""A bucket that speaks as much of S3 as recordings need, and believes no request whose signature is wrong."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from maskline.api.server import start_server

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "AKIAEXAMPLE", "example-secret", "eu-test-1", "acme-calls"
_UNSIGNED = "UNSIGNED-PAYLOAD"


class S3Server:
    """One bucket in memory. `failures` are statuses to answer next, before anything is looked at."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.kinds: dict[str, str] = {}
        self.failures: list[int] = []
        self.requests: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["S3Server"]:
        """Listen on a free port of the loopback until the block ends."""
        methods = ["GET", "PUT", "POST", "DELETE"]
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])
        server = await start_server(app, ("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.address[1]}"
        try:
            yield self
        finally:
            await server.close()

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(f"{request.method} {sorted(request.query_params)}")
        if self.failures:
            return _refuse(self.failures.pop(0), "InternalError")
        if not self._is_signed(request, body):
            return _refuse(403, "SignatureDoesNotMatch")
        bucket, _, key = request.path_params["path"].partition("/")
        if bucket != BUCKET:
            return _refuse(404, "NoSuchBucket")
        match request.method:
            case "PUT":
                return self._put(request, key, body)
            case "POST":
                return self._post(request, key, body)
            case "DELETE":
                return self._delete(request, key)
            case _:
                return self._get(request, key)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        """Whether botocore's own signer comes to the same signature from what arrived."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
            request.headers.get("authorization", ""),
        )
        if found is None:
            return False
        credential, signed_names, signature = found.groups()
        names = signed_names.split(";")
        digest = request.headers["x-amz-content-sha256"]
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            return False
        if digest not in (_UNSIGNED, hashlib.sha256(body).hexdigest()):
            return False
        headers = {name: request.headers[name] for name in names}
        copy = AWSRequest(method=request.method, url=str(request.url), headers=headers, data=body)
        copy.context["timestamp"] = request.headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
        wanted = signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)
        day = request.headers["x-amz-date"][:8]
        return signature == wanted and credential == f"{ACCESS_KEY}/{day}/{REGION}/s3/aws4_request"

    def _put(self, request: Request, key: str, body: bytes) -> Response:
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        upload = request.query_params.get("uploadId")
        if upload is None:
            self.objects[key] = body
            self.kinds[key] = request.headers.get("content-type", "")
        else:
            self.uploads[upload][int(request.query_params["partNumber"])] = body
        return Response(headers={"ETag": tag})

    def _post(self, request: Request, key: str, body: bytes) -> Response:
        if "uploads" in request.query_params:
            upload = f"upload-{len(self.uploads) + 1}"
            self.uploads[upload] = {}
            self.kinds[key] = request.headers.get("content-type", "")
            return _xml(
                f"<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key>"
                f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            )
        parts = self.uploads.pop(request.query_params["uploadId"])
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        assert numbers == sorted(parts)
        self.objects[key] = b"".join(parts[number] for number in numbers)
        return _xml(f"<CompleteMultipartUploadResult><Key>{key}</Key></CompleteMultipartUploadResult>")

    def _delete(self, request: Request, key: str) -> Response:
        upload = request.query_params.get("uploadId")
        if upload is None:
            self.objects.pop(key, None)
        else:
            self.uploads.pop(upload)
        return Response(status_code=204)

    def _get(self, request: Request, key: str) -> Response:
        data = self.objects.get(key)
        if data is None:
            return _refuse(404, "NoSuchKey")
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if found is None:
            return Response(data)
        first, last = int(found.group(1)), int(found.group(2))
        return Response(data[first : last + 1], 206, {"Content-Range": f"bytes {first}-{last}/{len(data)}"})


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', media_type="application/xml")


def _refuse(status: int, code: str) -> Response:
    text = f"<Error><Code>{code}</Code><Message>x</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', status, media_type="application/xml")
