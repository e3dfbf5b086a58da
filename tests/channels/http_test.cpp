// HTTP server and client over real sockets.
#include <catch2/catch.hpp>

#include "channels/net/http_client.h"
#include "channels/net/http_server.h"
#include "channels/net/net.h"
#include "engine/base/env.h"
#include "tests/support/socket_file.h"
#include "tests/support/temp_folder.h"

namespace kiln::channels {
namespace {

base::Task<base::HttpResponse> echo(base::HttpRequest request) {
  base::HttpResponse out;
  if (request.path() == "/throw") throw std::runtime_error("bug");
  out.headers.add("Content-Type", "text/plain");
  out.headers.add("X-Split", "a\r\nInjected: 1");
  out.body = request.method + " " + request.target + " " + request.body;
  co_return out;
}

/// Sends raw bytes, returns everything until the server closes or is silent for `silence_ms`.
base::Task<void> talk(Net* net, std::uint16_t port, std::vector<std::string> pieces, std::string* answer,
                      std::int64_t silence_ms) {
  auto connecting = net->connect("127.0.0.1", port, 1000);
  auto stream = co_await std::move(connecting);
  REQUIRE(stream);
  for (std::string& piece : pieces) {
    auto writing = (*stream)->write_all(piece, 1000);
    const auto written = co_await std::move(writing);
    if (!written) break;
    base::Event pause(net->executor());
    auto wait = pause.wait(std::chrono::milliseconds(2));
    co_await wait;
  }
  char chunk[4096];
  for (;;) {
    auto reading = (*stream)->read_some(chunk, sizeof chunk, silence_ms);
    const auto got = co_await std::move(reading);
    if (!got || *got == 0) break;
    answer->append(chunk, *got);
  }
  (*stream)->close();
}

base::Task<void> sleep_for(Net* net, int ms) {
  base::Event never(net->executor());
  auto wait = never.wait(std::chrono::milliseconds(ms));
  co_await wait;
}

base::Task<void> stop_server(HttpServer* server) {
  auto stopping = server->stop();
  co_await std::move(stopping);
}

struct Fixture {
  Net net;
  std::unique_ptr<HttpServer> server;
  explicit Fixture(HttpLimits limits = {}) {
    auto started = HttpServer::start(net, "127.0.0.1", 0, &echo, limits);
    REQUIRE(started);
    server = std::move(*started);
  }
  ~Fixture() { run_to_end(net, stop_server(server.get())); }
  std::string raw(std::vector<std::string> pieces, std::int64_t silence_ms = 60) {
    std::string answer;
    run_to_end(net, talk(&net, server->port(), std::move(pieces), &answer, silence_ms));
    return answer;
  }
  int status(const std::string& request) {
    const std::string answer = raw({request});
    return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
  }
};

namespace {

/// A client of any address that says nothing.
class SilentStream final : public base::Stream {
 public:
  SilentStream(Net& net, std::string peer) : ended_(net.executor()), peer_(std::move(peer)) {}
  base::Task<base::Result<std::size_t>> read_some(char*, std::size_t, std::int64_t) override {
    while (!closed) {
      auto wait = ended_.wait(std::chrono::milliseconds(5));
      co_await wait;
    }
    co_return base::fail(base::ErrorCode::connection_closed);
  }
  base::Task<base::Status> write_all(std::string, std::int64_t) override { co_return base::Status(); }
  void close() override {
    closed = true;
    ended_.notify();
  }
  const std::string& peer() const override { return peer_; }
  bool closed = false;

 private:
  base::Event ended_;
  std::string peer_;
};

class NoListener final : public base::Listener {
 public:
  std::uint16_t port() const override { return 1; }
  void close() override {}
};

}  // namespace

TEST_CASE("http server: so many connections of one address, any number of this machine", "[http]") {
  Net net;
  base::Network::OnAccept accept;
  HttpLimits limits;
  limits.connections_per_address = 2;
  const HttpListen listen = [&accept](base::Network::OnAccept on_accept) -> base::Result<std::unique_ptr<base::Listener>> {
    accept = std::move(on_accept);
    return std::unique_ptr<base::Listener>(new NoListener);
  };
  auto server = HttpServer::start(net, listen, HttpHandler(&echo), limits);
  REQUIRE(server);
  std::vector<std::shared_ptr<SilentStream>> streams;
  const auto connect = [&](const std::string& peer) {
    streams.push_back(std::make_shared<SilentStream>(net, peer));
    accept(streams.back());
    return !streams.back()->closed;
  };
  CHECK(connect("10.0.0.7:1000"));
  CHECK(connect("10.0.0.7:1001"));
  CHECK_FALSE(connect("10.0.0.7:1002"));
  CHECK(connect("10.0.0.8:1000"));
  CHECK(connect("[fe80::1]:5"));
  for (int i = 0; i < 5; ++i) CHECK(connect("127.0.0.1:" + std::to_string(2000 + i)));
  CHECK((*server)->status().refused_connections == 1);
  streams[0]->close();
  run_to_end(net, sleep_for(&net, 20));
  CHECK(connect("10.0.0.7:1003"));
  CHECK_FALSE(connect("10.0.0.7:1004"));
  for (const auto& stream : streams) stream->close();
  run_to_end(net, stop_server(server->get()));
}

TEST_CASE("http server: an address whose connections were refused has none", "[http]") {
  Net net;
  base::Network::OnAccept accept;
  HttpLimits limits;
  limits.connections = 1;
  limits.connections_per_address = 1;
  const HttpListen listen = [&accept](base::Network::OnAccept on_accept) -> base::Result<std::unique_ptr<base::Listener>> {
    accept = std::move(on_accept);
    return std::unique_ptr<base::Listener>(new NoListener);
  };
  auto server = HttpServer::start(net, listen, HttpHandler(&echo), limits);
  REQUIRE(server);
  std::vector<std::shared_ptr<SilentStream>> streams;
  const auto connect = [&](const std::string& peer) {
    streams.push_back(std::make_shared<SilentStream>(net, peer));
    accept(streams.back());
    return !streams.back()->closed;
  };
  CHECK(connect("10.0.0.1:1"));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(connect("10.0.0.2:" + std::to_string(i)));  // over all
  CHECK_FALSE(connect("10.0.0.1:2"));
  streams[0]->close();
  run_to_end(net, sleep_for(&net, 20));
  CHECK(connect("10.0.0.2:9"));
  CHECK((*server)->status().refused_connections == 4);
  for (const auto& stream : streams) stream->close();
  run_to_end(net, stop_server(server->get()));
}

TEST_CASE("http server answers requests, also pipelined and in any cut", "[http]") {
  Fixture fixture;
  const std::string two =
      "GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz";
  const std::string answer = fixture.raw({two});
  CHECK(answer.find("GET /a ") != std::string::npos);
  CHECK(answer.find("POST /b xyz") > answer.find("GET /a "));
  CHECK(answer.find("Connection: keep-alive") != std::string::npos);
  CHECK(answer.find("\r\nInjected") == std::string::npos);
  std::vector<std::string> bytes;
  for (const char c : two) bytes.emplace_back(1, c);
  const std::string cut = fixture.raw(bytes);
  CHECK(cut.find("POST /b xyz") != std::string::npos);
  const std::string chunked = fixture.raw(
      {"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"});
  CHECK(chunked.find("PUT /c abc") != std::string::npos);
  CHECK(fixture.server->status().requests == 5);
}

TEST_CASE("http server: HEAD, HTTP/1.0, Expect and a handler that throws", "[http]") {
  Fixture fixture;
  const std::string head = fixture.raw({"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"});
  CHECK(head.find("200 OK") != std::string::npos);
  CHECK(head.find("HEAD /a") == std::string::npos);
  const std::string old = fixture.raw({"GET /a HTTP/1.0\r\n\r\n"}, 1000);
  CHECK(old.find("Connection: close") != std::string::npos);
  const std::string expect =
      fixture.raw({"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", "hi"});
  CHECK(expect.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"));
  CHECK(fixture.status("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n") == 500);
}

TEST_CASE("http server refuses what RFC 9112 forbids", "[http]") {
  Fixture fixture;
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  CHECK(fixture.status(get + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na") == 400);
  CHECK(fixture.status(get + "Content-Length: 1\r\nContent-Length: 2\r\n\r\naa") == 400);
  CHECK(fixture.status(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
  CHECK(fixture.status(post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n") == 400);
  CHECK(fixture.status(post + "Transfer-Encoding: gzip\r\n\r\n") == 501);
  CHECK(fixture.status("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
  for (const char* list : {"gzip, chunked", "identity, chunked", "chunked, chunked", "chunked, identity"}) {
    // Nobody here undoes the first of them; what follows is not taken for a request.
    const std::string answers = fixture.raw({post + "Transfer-Encoding: " + list + "\r\n\r\n0\r\n\r\n" + get + "\r\n"}, 500);
    CHECK((answers.starts_with("HTTP/1.1 501") || answers.starts_with("HTTP/1.1 400")));
    CHECK(answers.find("HTTP/1.1", 1) == std::string::npos);
  }
  CHECK(fixture.status(get + "Content-Length: 0, 0\r\n\r\n") == 400);
  CHECK(fixture.status(get + "Content-Length: +0\r\n\r\n") == 400);
  CHECK(fixture.status(get + "A: b\r\n folded\r\n\r\n") == 400);
  CHECK(fixture.status(get + "A : b\r\n\r\n") == 400);
  CHECK(fixture.status("GET / HTTP/1.1\nHost: x\n\n\r\n\r\n") == 400);
  CHECK(fixture.status("GET / HTTP/1.1\r\nHost: x\r\nA: b\n\r\n\r\n") == 400);
  CHECK(fixture.status("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(fixture.status(get + "Host: y\r\n\r\n") == 400);
  CHECK(fixture.status("GET http://other/ HTTP/1.1\r\nHost: x\r\n\r\n") == 400);
  CHECK(fixture.status("GET / HTTP/2.0\r\nHost: x\r\n\r\n") == 505);
  CHECK(fixture.status(get + "Content-Length: -1\r\n\r\n") == 400);
  CHECK(fixture.status(get + "Content-Length: 1x\r\n\r\n") == 400);
}

TEST_CASE("http server keeps its limits", "[http]") {
  HttpLimits limits;
  limits.body_bytes = 100;
  limits.header_ms = 80;
  limits.body_ms = 80;
  limits.idle_ms = 2000;
  Fixture fixture(limits);
  CHECK(fixture.status("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n") == 414);
  CHECK(fixture.status("GET /" + std::string(60000, 'a')) == 414);
  CHECK(fixture.status("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(40000, 'a') + "\r\n\r\n") == 431);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 101; ++i) many += "A: b\r\n";
  CHECK(fixture.status(many + "\r\n") == 431);
  CHECK(fixture.status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n") == 413);
  CHECK(fixture.status("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" +
                       std::string(128, 'a') + "\r\n0\r\n\r\n") == 413);
  CHECK(fixture.raw({"GET / HTTP/1.1\r\nHos"}, 500).starts_with("HTTP/1.1 408"));
  CHECK(fixture.raw({"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na"}, 500)
            .starts_with("HTTP/1.1 408"));
}

base::Task<void> fetch(HttpClient* client, std::string method, std::string target, std::int64_t timeout_ms,
                       HttpExchange* out) {
  base::HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = request.method == "POST" ? "payload" : "";
  auto sending = client->send(std::move(request), timeout_ms);
  *out = co_await std::move(sending);
}

TEST_CASE("http client keeps its connection and replaces a dead one", "[http]") {
  Net net;
  HttpLimits limits;
  limits.idle_ms = 30;
  auto server = HttpServer::start(net, "127.0.0.1", 0, &echo, limits);
  REQUIRE(server);
  HttpClient client(net, "127.0.0.1", (*server)->port());
  HttpExchange exchange;
  for (int i = 0; i < 3; ++i) {
    run_to_end(net, fetch(&client, "POST", "/p", 1000, &exchange));
    REQUIRE(exchange.response);
    CHECK(exchange.response->body == "POST /p payload");
  }
  CHECK((*server)->status().connections_total == 1);
  run_to_end(net, sleep_for(&net, 80));  // the server closes the idle connection
  run_to_end(net, fetch(&client, "GET", "/q", 1000, &exchange));
  REQUIRE(exchange.response);
  CHECK(exchange.response->body == "GET /q ");
  CHECK((*server)->status().connections_total == 2);
  run_to_end(net, stop_server(server->get()));
  run_to_end(net, fetch(&client, "GET", "/q", 1000, &exchange));
  CHECK_FALSE(exchange.response);
  CHECK(exchange.response.error().code == base::ErrorCode::connect_failed);
}

TEST_CASE("http client gives up in time", "[http]") {
  Net net;
  std::vector<base::StreamPtr> held;
  auto listener =
      net.listen("127.0.0.1", 0, [&held](base::StreamPtr stream) { held.push_back(std::move(stream)); });
  REQUIRE(listener);
  HttpClient client(net, "127.0.0.1", (*listener)->port());
  HttpExchange exchange;
  run_to_end(net, fetch(&client, "POST", "/", 50, &exchange));
  REQUIRE_FALSE(exchange.response);
  CHECK(exchange.response.error().code == base::ErrorCode::timeout);
  CHECK(exchange.request_sent);
}

TEST_CASE("http over the control socket: owner only, a dead file is replaced, a live one refused", "[http]") {
  Net net;
  test::TempFolder folder;
  for (const std::string& path :
       {folder.path() + "/k.sock", folder.path() + "/" + std::string(110, 'd') + "/k.sock"}) {
    REQUIRE(base::system_env().make_folders(std::string(base::folder_of(path))));
    auto listen = [&net, path](base::Network::OnAccept on_accept) {
      return net.listen_unix(path, std::move(on_accept));
    };
    auto server = HttpServer::start(net, HttpListen(listen), &echo);
    REQUIRE(server);
    CHECK(test::file_mode(path) == 0600);
    auto second = HttpServer::start(net, HttpListen(listen), &echo);
    REQUIRE_FALSE(second);
    CHECK(second.error().text == "the socket is in use");
    auto connect = [&net, path](std::int64_t timeout_ms) { return net.connect_unix(path, timeout_ms); };
    HttpClient client(net, HttpConnect(connect), "localhost");
    HttpExchange exchange;
    run_to_end(net, fetch(&client, "GET", "/api", 1000, &exchange));
    REQUIRE(exchange.response);
    CHECK(exchange.response->body == "GET /api ");
    run_to_end(net, stop_server(server->get()));
    CHECK_FALSE(base::system_env().exists(path));
    test::leave_dead_socket(path);
    auto third = HttpServer::start(net, HttpListen(listen), &echo);
    REQUIRE(third);
    run_to_end(net, stop_server(third->get()));
  }
}

TEST_CASE("URLs of remote servers", "[http]") {
  const auto url = HttpUrl::parse("http://fhir.example.org:8080/r4/");
  REQUIRE(url);
  CHECK(url->host == "fhir.example.org");
  CHECK(url->port == 8080);
  CHECK(url->path == "/r4");
  CHECK(HttpUrl::parse("http://[::1]:90")->host == "::1");
  CHECK(HttpUrl::parse("https://a")->https);
  for (const char* bad : {"ftp://a", "http://", "http://a:0", "http://a:99999", "http://u@a", "http://a b",
                          "a", "http://a:x", "http://[::1", "http://a/?q=1", "http://a#f"})
    CHECK_FALSE(HttpUrl::parse(bad));
}

}  // namespace
}  // namespace kiln::channels
