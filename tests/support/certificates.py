"""Throw-away authorities and certificates, made with the openssl command."""
import pathlib
import subprocess


def _run(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")


class Authority:
    """Signs certificates into `folder`; `ca` is its own."""

    def __init__(self, folder, name="ca"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        _run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
             "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign", "-keyout", self.key, "-out", self.ca)

    def sign(self, name, subject, names="", usage="serverAuth,clientAuth", days=30):
        """(certificate, key) files; `names` as in subjectAltName, `days` < 0: expired."""
        request, certificate, key = (self.folder / f"{name}{end}" for end in (".csr", ".crt", ".key"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"basicConstraints=CA:FALSE\nextendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
        _run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", key, "-out", request)
        arguments = ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial", "-extfile", extensions, "-out", certificate]
        _run(*arguments, "-days", str(days))
        return certificate, key
