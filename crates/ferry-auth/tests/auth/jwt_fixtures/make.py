"""Makes the keys and tokens beside this file, with PyJWT 2.15 and cryptography. The private keys are thrown away."""

import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

CLAIMS = {"sub": "ada", "exp": 2_000_000_000}
SECRET = "a secret for tests, which has to have as many bytes as SHA-512: 64"

rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
p256, p384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ed = ed25519.Ed25519PrivateKey.generate()
keys = {
    "HS256": SECRET, "HS384": SECRET, "HS512": SECRET,
    "RS256": rsa_key, "RS384": rsa_key, "RS512": rsa_key,
    "ES256": p256, "ES384": p384, "EdDSA": ed,
}
with open("tokens.txt", "w") as file:
    for algorithm, key in keys.items():
        print(algorithm, jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"kid": algorithm[:2]}), file=file)

encoding, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
with open("public.pem", "wb") as file:
    for key in (rsa_key, p256, p384, ed):
        file.write(key.public_key().public_bytes(encoding, spki))
with open("rsa_public.pem", "wb") as file:
    file.write(rsa_key.public_key().public_bytes(encoding, serialization.PublicFormat.PKCS1))
with open("secret", "w") as file:
    print(SECRET, file=file)

algorithms = jwt.algorithms
jwks = [
    json.loads(algorithms.RSAAlgorithm.to_jwk(rsa_key.public_key())) | {"kid": "RS", "use": "sig"},
    json.loads(algorithms.ECAlgorithm.to_jwk(p256.public_key())) | {"alg": "ES256"},
    json.loads(algorithms.ECAlgorithm.to_jwk(p384.public_key())) | {"kid": "ES"},
    json.loads(algorithms.OKPAlgorithm.to_jwk(ed.public_key())) | {"kid": "Ed"},
    json.loads(algorithms.HMACAlgorithm.to_jwk(SECRET)) | {"kid": "HS"},
    # For other purposes, and of kinds that are not known.
    json.loads(algorithms.RSAAlgorithm.to_jwk(rsa_key.public_key())) | {"use": "enc"},
    {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
]
with open("keys.json", "w") as file:
    json.dump({"keys": jwks}, file, indent=1)
