"""Two programs in turn, each a server of its own: start to ready, a picture over HTTP, and memory when ready.

    bench_pair.py BEFORE AFTER   paths of two builds of lightproof
"""
import http.client, json, os, socket, statistics, subprocess, sys, tempfile, time

PASSPHRASE = "a passphrase of a benchmark"
STARTS, PICTURES = 15, 60


class Server:
    def __init__(self, program, folder):
        os.makedirs(folder, exist_ok=True)
        secret = os.path.join(folder, "passphrase")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(PASSPHRASE + "\n")
        places = ["--home", os.path.join(folder, "home"), "--outputs", os.path.join(folder, "pictures")]
        if not os.path.exists(places[1]):
            subprocess.run([program, "generate", "x", *places, "--passphrase-file", secret], check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        start = time.perf_counter()
        self.process = subprocess.Popen([program, "serve", *places, "--port", str(self.port)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        while not self.listens():
            time.sleep(0.001)
        self.ready_ms = 1000 * (time.perf_counter() - start)
        self.token = None

    def listens(self):
        try:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
            self.ask("GET", "/")
            return True
        except OSError:
            assert self.process.poll() is None, "it ended"
            return False

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"} if body else {}
        if getattr(self, "token", None):
            headers["Authorization"] = "Bearer " + self.token
        self.connection.request(method, path, body and json.dumps(body), headers)
        return self.connection.getresponse().read()

    def sign_in(self):
        self.token = json.loads(self.ask("POST", "/api/v1/session", {"passphrase": PASSPHRASE}))["token"]

    def picture_ms(self):
        """From the request until the picture is sealed and on record."""
        start = time.perf_counter()
        job = json.loads(self.ask("POST", "/api/v1/jobs", {"prompt": "a red apple", "seed": 5}))
        while job["status"] in ["waiting", "running"]:
            time.sleep(0.001)
            job = json.loads(self.ask("GET", "/api/v1/jobs/" + job["id"]))
        assert job["status"] == "done", job
        return 1000 * (time.perf_counter() - start)

    def memory_mib(self):
        """Of all its processes; a page that several share counts in parts."""
        pids, found = [self.process.pid], []
        while pids:
            pid = pids.pop()
            found.append(pid)
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as children:
                    pids += map(int, children.read().split())
        kib = 0
        for pid in found:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                kib += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        return kib / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def in_turn(servers, rounds, measure):
    """Pairs of what was measured, who begins changing from pair to pair."""
    pairs = []
    for turn in range(rounds):
        order = servers if turn % 2 else servers[::-1]
        found = {server: measure(server) for server in order}
        pairs.append([found[server] for server in servers])
    return pairs


def row(what, pairs, unit):
    before, after = (statistics.median(side) for side in zip(*pairs))
    more = statistics.median(after - before for before, after in pairs)
    print(f"| {what} | {before:.1f} {unit} | {after:.1f} {unit} | {more:+.1f} {unit} |", flush=True)


def started(place):
    server = Server(*place)
    memory = server.memory_mib()
    server.stop()
    return server.ready_ms, memory


def main(programs):
    print(f"| medians of {STARTS} starts and {PICTURES} pictures in turn | before | after | median of differences |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        places = [(program, os.path.join(folder, name)) for program, name in zip(programs, ["before", "after"])]
        for place in places:
            started(place)  # makes the vault
        starts = in_turn(places, STARTS, started)
        row("start to ready", [[ready for ready, _ in pair] for pair in starts], "ms")
        row("memory when ready", [[memory for _, memory in pair] for pair in starts], "MiB")
        servers = [Server(*place) for place in places]
        for server in servers:
            server.sign_in()
            server.picture_ms()
        row("a picture of 128x128, over HTTP", in_turn(servers, PICTURES, Server.picture_ms), "ms")
        for server in servers:
            server.stop()


main([os.path.abspath(program) for program in sys.argv[1:3]])
