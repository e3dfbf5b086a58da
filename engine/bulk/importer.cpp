#include "engine/bulk/importer.h"

#include <algorithm>
#include <charconv>

#include "engine/base/json.h"
#include "engine/base/limits.h"

namespace kiln::engine {

namespace limits = base::limits;
using base::ErrorCode;
using base::fail;
using base::JsonView;
using base::Result;
using base::Status;
using base::Task;

namespace {

constexpr std::uint64_t kPauseMsMin = 500, kPauseMsMax = 30'000;
constexpr std::chrono::seconds kWriteEvery{1};

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

// ---- how far ----

Result<ImportPosition> ImportPosition::open(base::Env& env, std::string path, std::vector<ImportFile> files) {
  ImportPosition position;
  position.path_ = std::move(path);
  position.files_ = std::move(files);
  position.done_.resize(position.files_.size());
  if (position.path_.empty() || !env.exists(position.path_)) return position;
  TRY(const std::string text, env.read_file(position.path_, limits::kFhirFileBytesMax));
  TRY(const base::JsonDocument document, base::parse_json(text));
  const JsonView list = document.root()["files"];
  bool same = list.size() == position.files_.size();
  std::size_t i = 0;
  for (const JsonView one : list) {
    if (!same) break;
    const ImportFile& file = position.files_[i];
    same = one["path"].text() == file.path && number_of(one["size"].text()) == file.size;
    position.done_[i++] = number_of(one["done"].text());
  }
  if (same) return position;
  return fail(ErrorCode::import_position, "its files are others, or have changed", position.path_,
              "remove it to begin from the start: what is there already is not written again");
}

void ImportPosition::settle(const ImportUnit& unit) {
  ahead_[unit.number] = {unit.file, unit.last_line};
  while (!ahead_.empty() && ahead_.begin()->first == next_) {
    const auto [file, line] = ahead_.begin()->second;
    done_[file] = std::max(done_[file], line);
    ahead_.erase(ahead_.begin());
    ++next_;
  }
}

Status ImportPosition::write(base::Env& env) {
  if (path_.empty()) return {};
  base::JsonWriter out;
  out.begin_object().key("files").begin_array();
  for (std::size_t i = 0; i < files_.size(); ++i) {
    out.begin_object().member("path", files_[i].path).key("size").number(std::to_string(files_[i].size));
    out.key("done").number(std::to_string(done_[i])).end_object();
  }
  out.end_array().end_object();
  return env.write_file_atomic(path_, out.str());
}

// ---- requests ----

Importer::Importer(base::TimerExecutor& executor, Options options, ImportPosition& position)
    : options_(std::move(options)),
      position_(position),
      executor_(executor),
      reader_({options_.files, position.done(), options_.server_ids,
               [this](ImportProblem problem) {
                 ++progress_.refused;
                 options_.problem(problem);
               }}),
      pause_(executor),
      round_(executor) {
  for (std::size_t i = 0; i < options_.files.size(); ++i) progress_.bytes_total += options_.files[i].size;
}

/// Rounds: what was refused because something is missing is tried again as long as others come in meanwhile.
Task<void> Importer::run() {
  for (;;) {
    round_ = base::Completion<bool>(executor_);
    const std::uint64_t before = progress_.accepted;
    working_ = options_.parallel;
    for (std::size_t i = 0; i < options_.parallel; ++i) base::spawn(work(i));
    co_await round_;
    reading_ = false;
    due_ = std::exchange(later_, {});
    if (due_.empty() || !status_) break;
    if (progress_.accepted == before) break;
  }
  for (const ImportUnit& unit : due_) {
    progress_.refused += unit.entries;
    options_.problem({options_.files[unit.file].path, "fhir-no-match",
                      "a conditional reference matches no resource, or several", "import what it refers to first",
                      false});
    position_.settle(unit);
  }
  const Status written = position_.write(*options_.env);
  if (!written && status_) status_ = written;
}

Task<void> Importer::work(std::size_t) {
  ImportSend send = options_.connect();
  ImportUnit unit;
  while (take(unit)) {
    auto delivering = deliver(send, std::move(unit));
    co_await std::move(delivering);
    unit = ImportUnit();
  }
  if (--working_ == 0) round_.set(true);
}

bool Importer::take(ImportUnit& unit) {
  if (!status_) return false;
  if (reading_) return reader_.next(unit);
  if (due_.empty()) return false;
  unit = std::move(due_.front());
  due_.pop_front();
  return true;
}

base::HttpRequest Importer::request_of(const ImportUnit& unit) const {
  base::HttpRequest request;
  request.method = "POST";
  request.target = options_.path.empty() ? "/" : options_.path;
  request.headers.add("Content-Type", "application/fhir+json");
  request.headers.add("Accept", "application/fhir+json");
  request.headers.add("Prefer", "return=minimal");
  if (!options_.token.empty()) request.headers.add("Authorization", "Bearer " + options_.token);
  request.body = unit.body;
  return request;
}

Task<void> Importer::deliver(ImportSend send, ImportUnit unit) {
  for (std::size_t attempt = 1;; ++attempt) {
    base::HttpRequest request = request_of(unit);
    auto sending = send(std::move(request));
    const Result<base::HttpResponse> response = co_await std::move(sending);
    wait_ms_ = std::min(kPauseMsMax, kPauseMsMin << std::min<std::size_t>(attempt - 1, 6));
    const Verdict verdict = judge(unit, response);
    if (verdict == Verdict::later) {
      later_.push_back(std::move(unit));
      co_return;
    }
    if (verdict == Verdict::done) {
      settle(unit);
      co_return;
    }
    if (attempt == limits::kImportTriesMax) {
      status_ = response ? fail(ErrorCode::import_refused,
                                "the server answered " + std::to_string(response->status) + " ten times",
                                options_.files[unit.file].path, "the same command goes on later")
                         : fail(response.error());
      co_return;
    }
    if (!status_) co_return;
    const std::chrono::milliseconds delay(wait_ms_);
    co_await pause_.wait(delay);
  }
}

Importer::Verdict Importer::judge(const ImportUnit& unit, const Result<base::HttpResponse>& response) {
  if (!response) {
    if (!answered_ && response.error().code == ErrorCode::connect_failed) status_ = fail(response.error());
    return Verdict::again;
  }
  answered_ = true;
  const int status = response->status;
  if (status == 429 || status >= 500) {
    if (const auto seconds = number_of(response->headers.get("Retry-After")); seconds > 0)
      wait_ms_ = std::min<std::uint64_t>(seconds * 1000, kPauseMsMax);
    return Verdict::again;
  }
  const auto document = base::parse_json(response->body);
  const JsonView root = document ? document->root() : JsonView();
  if (status == 200 && root["resourceType"].text() == "Bundle") {
    judge_entries(unit, root);
    return Verdict::done;
  }
  if (status == 412 && unit.whole && later_bytes_ + unit.body.size() <= limits::kInflightBytesMax) {
    later_bytes_ += reading_ ? unit.body.size() : 0;
    return Verdict::later;
  }
  if (status == 401 || status == 403 || status == 404 || status == 200) {
    status_ = fail(ErrorCode::import_refused, "the server answered " + std::to_string(status),
                   options_.files[unit.file].path,
                   status == 401 || status == 403 ? "this needs the right to write" : "is this the base of a FHIR server?");
    return Verdict::again;
  }
  progress_.refused += unit.entries - 1;  // refuse() counts one
  refuse(unit, options_.files[unit.file].path, root, status);
  return Verdict::done;
}

void Importer::judge_entries(const ImportUnit& unit, JsonView bundle) {
  std::size_t index = 0;
  for (const JsonView entry : bundle["entry"]) {
    const JsonView response = entry["response"];
    const std::uint64_t status = number_of(response["status"].text().substr(0, 3));
    if (status < 400) {
      ++progress_.accepted;
    } else {
      refuse(unit, place_of(unit, index), response["outcome"], static_cast<int>(status));
    }
    ++index;
  }
}

std::string Importer::place_of(const ImportUnit& unit, std::size_t entry) const {
  const std::string& path = options_.files[unit.file].path;
  const std::uint64_t line = entry < unit.lines.size() ? unit.lines[entry] : 0;
  if (line > 0 && !unit.whole) return path + ":" + std::to_string(line);
  return path + ": Bundle.entry[" + std::to_string(unit.first_entry + entry) + "]";
}

void Importer::refuse(const ImportUnit& unit, std::string place, JsonView outcome, int status) {
  ++progress_.refused;
  const JsonView issue = outcome["issue"].at(0);
  ImportProblem problem;
  problem.code = issue["code"].text().empty() ? "http-" + std::to_string(status) : std::string(issue["code"].text());
  problem.text = issue["details"]["text"].text();
  if (problem.text.empty()) problem.text = "the server answered " + std::to_string(status);
  if (const auto where = issue["expression"].at(0).text(); !where.empty()) place += ", " + std::string(where);
  problem.remedy = issue["diagnostics"].text();
  if (status == 413) problem.remedy = "raise the limits of the server, or split the Bundle";
  if (unit.whole && unit.entries > 1) problem.text += " (the whole Bundle)";
  problem.place = std::move(place);
  options_.problem(problem);
}

void Importer::settle(const ImportUnit& unit) {
  progress_.bytes += unit.bytes;
  position_.settle(unit);
  const base::MonoTime now = options_.clock->mono();
  if (now - written_ >= kWriteEvery) {
    written_ = now;
    const Status written = position_.write(*options_.env);
    if (!written) status_ = written;
  }
  options_.progress(progress_);
}

}  // namespace kiln::engine
