"""The device interface `/device/v1`: what phones say, each message a flattened JWS.

Every request is a POST whose body is `{protected, payload, signature}` (RFC 7515, 7.2.2), signed
with ES256 by the device key. The protected header has exactly `alg`, `url` (the absolute address of
the request) and, in claim, `jwk`; in all others `nonce` and `kid` (the enrolment id that claim's
answer gave). Bytes are base64url everywhere.

    claim    {code, device: {name, platform?, model?}}
             200 {kid, number, expires_at, profile: {server_name, user_id, profile_name, properties},
                  keys: [{kind, key_types}]}
    keys     {csrs: {<kind>: DER}, transport_key?: JWK}        200 {state: "waiting_approval"}
    result   {}   202 {state: <step>} with Retry-After, or
             200 {certificates: [{kind, serial, certificate: DER, chain: [DER]}]}
    confirm  {hashes: [SHA-256 of each DER], proof?: JWS}      200 {state}
    status   {}                                                200 {state}
    remove   {}                                                200 {state}

Every answer carries a fresh single-use `Replay-Nonce`, which is good for five minutes. A request
with a bad one is answered 400 `BAD_NONCE`: sign again with the nonce of that answer. A kid that is
unknown, or of another phone, is answered like an unusable code.
"""

from mobid.api.device.nonces import Nonces
from mobid.api.device.ports import Phones
from mobid.api.device.views import blueprint

__all__ = ["Nonces", "Phones", "blueprint"]
