// The playground: a map on a sample, the tests of the site, a language server, all on drafts laid over the
// site's files.

#include <algorithm>

#include "engine/admin/lineage.h"
#include "engine/admin/lsp_sessions.h"
#include "engine/admin/route.h"
#include "engine/admin/service.h"
#include "engine/admin/site_files.h"
#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "engine/gateway.h"
#include "engine/test_target.h"
#include "mappings/tester.h"

namespace kiln::engine {
namespace {

using base::ErrorCode;
using base::Result;
using base::Task;

/// What the work on the other thread needs of the gateway, by value.
struct Around {
  base::Env* env = nullptr;
  std::string folder, data;
  base::WallTime now;
};

Around around_of(const Call& call) {
  const channels::Site& site = call.gateway->site();
  return {&call.gateway->env(), site.folder, site.data_folder, call.gateway->clock().wall()};
}

/// The site with the drafts of the body's `files`.
Result<std::unique_ptr<SiteFiles>> files_of(const Around& around, const base::JsonDocument& body) {
  auto files = std::make_unique<SiteFiles>(*around.env, around.folder, around.data);
  for (const base::JsonView file : body.root()["files"])
    TRY_VOID(files->lay_over(std::string(file.key()), std::string(file.text())));
  return files;
}

channels::ContentKind kind_of(std::string_view sample) {
  sample = base::trim(sample);
  if (sample.starts_with('{')) return channels::ContentKind::fhir;
  return sample.starts_with("MSH") ? channels::ContentKind::hl7 : channels::ContentKind::csv;
}

/// What an editor writes as line ends, as segments end.
std::string as_segments(std::string text) {
  if (text.find('\r') == std::string::npos) std::ranges::replace(text, '\n', '\r');
  return text;
}

void write_findings(base::JsonWriter& json, const channels::SiteLoad& load) {
  static constexpr const char* kSeverities[] = {"note", "warning", "error"};
  json.key("findings").begin_array();
  for (const base::Diagnostics* part : {&load.diagnostics, &load.unavailable})
    for (const base::Diagnostic& one : part->list()) {
      json.begin_object().member("severity", kSeverities[static_cast<std::size_t>(one.severity)]);
      json.member("code", base::error_info(one.code).code).member("text", one.message);
      const base::SourceMap& sources = load.library->sources();
      if (one.span.file < sources.size()) {
        const auto at = sources.position(one.span.file, one.span.begin);
        json.member("file", sources.file(one.span.file).name);
        json.key("line").integer(at.line).key("column").integer(at.column);
      }
      json.key("notes").begin_array();
      for (const std::string& note : one.notes) json.string(note);
      json.end_array();
      if (!one.helps.empty()) json.member("help", one.helps.front());
      json.end_object();
    }
  json.end_array();
}

Result<std::string> list_playground(const Around& around, std::shared_ptr<const channels::Site> site) {
  SiteFiles files(*around.env, around.folder, around.data);
  TRY(const auto all, files.files());
  base::JsonWriter json;
  json.begin_object().key("maps").begin_array();
  for (const mappings::MapInfo& map : site->compiled->maps)
    if (!map.name.starts_with("std.")) json.string(map.name);
  json.end_array().key("samples").begin_array();
  for (const base::FileInfo& file : all)
    if (file.name.starts_with("samples/")) json.string(file.name);
  json.end_array().key("files").begin_array();
  for (const base::FileInfo& file : all)
    if (file.name.ends_with(".hmap") || file.name.ends_with(".channel") || file.name == "kiln.conf")
      json.string(file.name);
  return json.end_array().end_object().take();
}

Result<std::string> run_draft(const Around& around, const base::JsonDocument& body) {
  TRY(const auto files, files_of(around, body));
  TRY(auto load, channels::load_site(*files, SiteFiles::kRoot));
  base::JsonWriter json;
  if (!load.site) {
    json.begin_object();
    write_findings(json, load);
    return json.end_object().take();
  }
  LineageRequest request;
  const std::string name(body.root()["map"].text());
  request.program = load.site->compiled->program(name);
  if (!request.program)
    return base::fail(ErrorCode::no_such_thing, "there is no map or package of that name", name);
  request.text = body.root()["sample"].text();
  request.kind = kind_of(request.text);
  if (request.kind == channels::ContentKind::hl7) request.text = as_segments(std::move(request.text));
  request.channel = "playground";
  request.received = around.now;
  request.path = body.root()["path"].text();
  request.from = body.root()["from"].text();
  request.maps.push_back(name);
  return print_lineage(*load.site, nullptr, request);
}

void write_test(base::JsonWriter& json, const mappings::TestResult& test) {
  json.begin_object().member("name", test.name).member("place", test.place);
  json.member("result", test.passed() ? "passed" : !test.not_run.empty() ? "not run" : "failed");
  if (!test.not_run.empty()) json.member("reason", test.not_run);
  json.key("failures").begin_array();
  for (const auto& failure : test.failures)
    json.begin_object()
        .member("place", failure.place)
        .member("expression", failure.expression)
        .member("expected", failure.expected)
        .member("actual", failure.actual)
        .end_object();
  json.end_array().end_object();
}

Result<std::string> test_draft(const Around& around, const base::JsonDocument& body) {
  TRY(const auto files, files_of(around, body));
  TRY(auto load, channels::load_site(*files, SiteFiles::kRoot));
  base::JsonWriter json;
  json.begin_object().key("tests").begin_array();
  if (load.site) {
    ChannelTestTarget target(load.site);
    mappings::TestOptions options;
    options.filter = body.root()["filter"].text();
    const mappings::TestReport report =
        mappings::run_tests(*load.site->library, *load.site->compiled, &target, options);
    for (const auto& test : report.tests) write_test(json, test);
  }
  json.end_array();
  write_findings(json, load);
  return json.end_object().take();
}

Result<std::string> read_sample(const Around& around, const std::string& path) {
  SiteFiles files(*around.env, around.folder, around.data);
  if (!files.is_site_path(path))
    return base::fail(ErrorCode::no_such_thing, "the site has no such file", path);
  auto text = files.read_file(std::string(SiteFiles::kRoot) + "/" + path, base::limits::kMessageBytesMax);
  if (!text) return base::fail(ErrorCode::no_such_thing, "the site has no such file", path);
  base::JsonWriter json;
  json.begin_object().member("path", path);
  json.member("text", base::is_valid_utf8(*text) ? *text : std::string("(not UTF-8)")).end_object();
  return json.take();
}

Result<std::string> list_files(const Around& around) {
  SiteFiles files(*around.env, around.folder, around.data);
  TRY(const auto all, files.files());
  base::JsonWriter json;
  json.begin_object().key("files").begin_array();
  for (const base::FileInfo& file : all)
    json.begin_object()
        .member("path", file.name)
        .key("size")
        .integer(static_cast<std::int64_t>(file.size))
        .end_object();
  return json.end_array().end_object().take();
}

Result<std::string> check_draft(const Around& around, const base::JsonDocument& body) {
  TRY(const auto files, files_of(around, body));
  TRY(auto load, channels::load_site(*files, SiteFiles::kRoot));
  base::JsonWriter json;
  json.begin_object().key("ok").boolean(load.site != nullptr && load.unavailable.ok());
  write_findings(json, load);
  return json.end_object().take();
}

Result<std::string> ask_language_server(AdminService* admin, const Around& around, const std::string& user,
                                        const base::JsonDocument& body) {
  std::vector<std::string> messages;
  for (const base::JsonView message : body.root()["messages"]) messages.push_back(base::print_json(message));
  TRY(const auto answer, admin->lsp().handle(std::string(body.root()["session"].text()), user, messages,
                                             *around.env, around.folder, around.data));
  base::JsonWriter json;
  json.begin_object().member("session", answer.session).key("messages").begin_array();
  for (const std::string& message : answer.messages) json.raw(message);
  return json.end_array().end_object().take();
}

using Work = std::function<Result<std::string>()>;

Task<Result<Reply>> compute(AdminService* admin, Work work) {
  auto working = admin->compute(std::move(work));
  Result<std::string> text = co_await std::move(working);
  if (!text) co_return base::fail(text.error());
  co_return json_reply(std::move(*text));
}

Task<Result<Reply>> overview(Call call) {
  return compute(call.admin, [around = around_of(call), site = call.gateway->shared_site()] {
    return list_playground(around, site);
  });
}
Task<Result<Reply>> run(Call call) {
  return compute(call.admin,
                 [around = around_of(call), body = call.document] { return run_draft(around, body); });
}
Task<Result<Reply>> test(Call call) {
  return compute(call.admin,
                 [around = around_of(call), body = call.document] { return test_draft(around, body); });
}
Task<Result<Reply>> file(Call call) {
  return compute(call.admin, [around = around_of(call), path = std::string(call.value("path"))] {
    return read_sample(around, path);
  });
}
Task<Result<Reply>> files(Call call) {
  return compute(call.admin, [around = around_of(call)] { return list_files(around); });
}
Task<Result<Reply>> check(Call call) {
  return compute(call.admin,
                 [around = around_of(call), body = call.document] { return check_draft(around, body); });
}
Task<Result<Reply>> lsp(Call call) {
  return compute(call.admin,
                 [admin = call.admin, around = around_of(call), user = call.caller.user + call.caller.session,
                  body = call.document] { return ask_language_server(admin, around, user, body); });
}

constexpr ParameterSpec kFile[] = {{"path", "string", "relative to the site: maps/adt.hmap", true}};
constexpr ErrorCode kErrors[] = {ErrorCode::no_such_thing, ErrorCode::bad_value};
constexpr ErrorCode kLspErrors[] = {ErrorCode::no_such_thing, ErrorCode::too_many_clients};

constexpr RouteSpec kRoutes[] = {
    {.method = "GET",
     .path = "/playground",
     .right = AdminRight::view,
     .summary = "maps, samples and files that can be tried",
     .answer = "{maps: [string], samples: [string], files: [string]}",
     .task = overview},
    {.method = "GET",
     .path = "/playground/sample",
     .right = AdminRight::configure,
     .summary = "a file of the site as text",
     .parameters = kFile,
     .answer = "{path: string, text: string}",
     .errors = kErrors,
     .task = file},
    {.method = "POST",
     .path = "/playground/run",
     .right = AdminRight::configure,
     .summary = "run a map, or a draft of it, on a sample: output, lineage, unread fields; or what is wrong "
                "with the draft",
     .body = "{map: string, sample: string, files?: {*: string}, path?: string, from?: string}",
     .answer = "{map?: string, maps?: [string], outcome?: string, reason?: string, kind?: string, output?: "
               "string, values?: "
               "[any], unread?: [@Source], notes?: [any], lookups?: string, findings?: [@Finding]}",
     .errors = kErrors,
     .task = run},
    {.method = "POST",
     .path = "/playground/test",
     .right = AdminRight::configure,
     .summary = "run the tests of the site with drafts",
     .body = "{files?: {*: string}, filter?: string}",
     .answer = "{tests: [{name: string, place: string, result: string, reason?: string, failures: [{place: "
               "string, expression: "
               "string, expected: string, actual: string}]}], findings: [@Finding]}",
     .errors = kErrors,
     .task = test},
    {.method = "POST",
     .path = "/playground/lsp",
     .right = AdminRight::configure,
     .summary = "messages to a language server and its answers; without a session one begins. Documents: "
                "file:///site/…",
     .body = "{session?: string, messages: [any]}",
     .answer = "{session: string, messages: [any]}",
     .errors = kLspErrors,
     .task = lsp},
    {.method = "GET",
     .path = "/config/files",
     .right = AdminRight::view,
     .summary = "the files of the site on disk",
     .answer = "{files: [{path: string, size: integer}]}",
     .task = files},
    {.method = "GET",
     .path = "/config/file",
     .right = AdminRight::configure,
     .summary = "one of them",
     .parameters = kFile,
     .answer = "{path: string, text: string}",
     .errors = kErrors,
     .task = file},
    {.method = "GET",
     .path = "/config/check",
     .right = AdminRight::view,
     .summary = "what `kiln check` says of the files on disk",
     .answer = "{ok: boolean, findings: [@Finding]}",
     .task = check},
    {.method = "POST",
     .path = "/config/check",
     .right = AdminRight::configure,
     .summary = "the same with drafts",
     .body = "{files?: {*: string}}",
     .answer = "{ok: boolean, findings: [@Finding]}",
     .task = check},
};

}  // namespace

const RouteGroup& playground_routes() {
  static const RouteGroup group{"playground", "maps, tests and drafts", kRoutes};
  return group;
}

}  // namespace kiln::engine
