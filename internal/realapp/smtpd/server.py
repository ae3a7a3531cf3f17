"""A real mail server for tests: aiosmtpd on one loopback address.

It reads settings.json, keeps each mail in the folder mail as a file of JSON,
and asks before each answer what the file behave.json wants of it.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import ssl
import sys

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

with open("settings.json", encoding="utf-8") as f:
    settings = json.load(f)

FOREVER = 3600
ROUNDS = 4096


class Mechanisms:
    """What there is besides PLAIN and LOGIN: SCRAM-SHA-256 (RFC 7677)."""

    async def auth_SCRAM__SHA__256(self, server, args):
        first = base64.b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        bare = first.split(b",", 2)[2]
        fields = dict(p.split(b"=", 1) for p in bare.split(b","))
        nonce = fields[b"r"] + base64.b64encode(os.urandom(12))
        salt = os.urandom(16)
        challenge = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), ROUNDS)
        final = await server.challenge_auth(challenge)
        without, _, proof = final.rpartition(b",p=")
        salted = hashlib.pbkdf2_hmac("sha256", settings["password"].encode(), salt, ROUNDS)
        key = hmac.digest(salted, b"Client Key", "sha256")
        text = b",".join([bare, challenge, without])
        mask = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
        want = bytes(a ^ b for a, b in zip(key, mask))
        right = fields[b"n"].decode() == settings["username"] and base64.b64decode(proof) == want
        if not right or without != b"c=biws,r=" + nonce:
            return AuthResult(success=False, handled=False)
        signed = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
        await server.challenge_auth(b"v=" + base64.b64encode(signed))
        return AuthResult(success=True, auth_data=LoginPassword(fields[b"n"], b""))


class Handler(Mechanisms):
    """Keeps the mails, or does what the test wants instead."""

    def __init__(self):
        self.kept = 0

    async def wanted(self, stage):
        """Returns the answer that the test wants at a stage, None for its own."""
        try:
            with open("behave.json", encoding="utf-8") as f:
                behave = json.load(f)
        except FileNotFoundError:
            return None
        if behave["stage"] != stage:
            return None
        if behave["hang"]:
            open("hangs", "w", encoding="utf-8").close()
        await asyncio.sleep(FOREVER if behave["hang"] else behave["slow"])
        return behave["answer"] or None

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        answer = await self.wanted("EHLO")
        return [answer] if answer else responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await self.wanted("MAIL")
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self.wanted("RCPT")
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = await self.wanted("DATA")
        if answer is None:
            self.keep(session, envelope)
        return answer or "250 2.0.0 OK"

    async def handle_QUIT(self, server, session, envelope):
        return await self.wanted("QUIT") or "221 2.0.0 bye"

    def keep(self, session, envelope):
        self.kept += 1
        name = f"mail/{os.getpid():08d}-{self.kept:06d}.json"
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or settings["tls"] == "implicit",
            "user": (session.login_data or b"").decode(),
            "mechanism": getattr(session, "mechanism", ""),
            "raw": base64.b64encode(envelope.original_content).decode(),
        }
        with open(name + ".part", "w", encoding="utf-8") as f:
            json.dump(kept, f)
        os.rename(name + ".part", name)

    async def handle_AUTH(self, server, session, envelope, args):
        session.mechanism = args[0]
        return await self.wanted("AUTH") or MISSING


def sign_in(server, session, envelope, mechanism, data):
    right = data.login.decode() == settings["username"] and data.password.decode() == settings["password"]
    return AuthResult(success=right, handled=False, auth_data=data)


async def main():
    context = None
    if settings["tls"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain("server.pem")
    handler = Handler()

    def connection():
        return SMTP(
            handler,
            hostname="mail.example.test",
            enable_SMTPUTF8=settings["utf8"],
            tls_context=context if settings["tls"] == "starttls" else None,
            require_starttls=settings["tls"] == "starttls",
            auth_required=bool(settings["username"]),
            auth_require_tls=settings["tls"] == "starttls",
            auth_exclude_mechanism=[m for m in ("SCRAM-SHA-256", "PLAIN", "LOGIN") if m not in settings["mechanisms"]],
            authenticator=sign_in,
            loop=asyncio.get_running_loop(),
        )

    host, port = settings["address"].rsplit(":", 1)
    server = await asyncio.get_running_loop().create_server(
        connection, host, int(port), ssl=context if settings["tls"] == "implicit" else None)
    await server.serve_forever()


try:
    asyncio.run(main())
except OSError as error:
    sys.exit(str(error))
