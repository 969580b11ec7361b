#!/usr/bin/env python3
"""Records botocore's signatures of the two requests that ask ECR for a password.

    pip install botocore==1.43.11
    python3 crates/oci-tags/tests/sigv4.py > crates/oci-tags/tests/sigv4.jsonl

The keys are made up. The moment is set, so that the answers stay the same.
"""
import datetime
import json

import botocore.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

AT = 1764000000
TARGETS = {
    "ecr": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    "ecr-public": "SpencerFrontendService.GetAuthorizationToken",
}
NOW = datetime.datetime.fromtimestamp(AT, datetime.timezone.utc)


class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW.replace(tzinfo=None)

    @classmethod
    def now(cls, tz=None):
        return NOW


if hasattr(botocore.auth, "get_current_datetime"):
    botocore.auth.get_current_datetime = lambda *_args, **_kw: NOW.replace(tzinfo=None)
botocore.auth.datetime = type("module", (), {"datetime": Clock, "timezone": datetime.timezone})

for service, region, url in [
    ("ecr", "us-east-1", "https://api.ecr.us-east-1.amazonaws.com/"),
    ("ecr", "eu-west-1", "https://api.ecr.eu-west-1.amazonaws.com/"),
    ("ecr", "us-east-1", "http://127.0.0.1:5000/"),
    ("ecr-public", "us-east-1", "https://api.ecr-public.us-east-1.amazonaws.com/"),
]:
    for token in [None, "FwoGZXIvYXdzEBY//made/up=="]:
        key, secret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        request = AWSRequest("POST", url, data=b"{}", headers={
            "content-type": "application/x-amz-json-1.1", "x-amz-target": TARGETS[service]})
        SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
        print(json.dumps({
            "service": service, "region": region, "url": url, "at": AT, "key": key, "secret": secret,
            "token": token, "date": request.headers["X-Amz-Date"],
            "authorization": request.headers["Authorization"]}))
