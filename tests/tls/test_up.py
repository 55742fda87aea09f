"""`stepwell up` with a certificate: found, probed and used over TLS."""

from tests.certificates import Authority
from tests.cli.program import answer, run
from tests.cli.test_up import kept, start_one, up
from tests.fix_servers import private_folder


def test_up_speaks_tls_and_the_commands_of_its_folder_find_it_there() -> None:
    with private_folder() as folder:
        authority = Authority(folder)
        pair = authority.issue("127.0.0.1")
        settings = {
            "STEPWELL_TLS_CERTIFICATE_FILE": str(pair.certificate),
            "STEPWELL_TLS_KEY_FILE": str(pair.key),
        }
        trust = {"STEPWELL_CA_FILE": str(authority.file)}
        with up(folder, "--workers", "1", **settings):
            url = kept(folder).url or ""
            assert url.startswith("https://127.0.0.1:")
            assert start_one(folder, **trust)["status"] == "COMPLETED"
            said = answer(folder, "doctor", **trust, **settings)
            assert {"area": "api", "state": "ok", "message": f"ready at {url}"}.items() <= next(
                finding for finding in said["findings"] if finding["area"] == "api"
            ).items()
            untrusting = run(folder, "definition", "list")
            assert untrusting.returncode == 3
            assert "STEPWELL_CA_FILE" in untrusting.stderr
