#include "engine/gateway.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <map>

#include "engine/admin/control_api.h"
#include "engine/base/log.h"
#include "engine/base/partial_date.h"
#include "engine/security/loopback_access.h"
#include "engine/store/sqlite_store.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Status;
using base::Task;

Gateway::Gateway(base::Env& env, std::shared_ptr<const channels::Site> site, GatewayOptions options)
    : env_(env),
      site_(std::move(site)),
      options_(std::move(options)),
      access_(std::make_unique<LoopbackAccess>()),
      budget_(net_.executor()) {}

Gateway::~Gateway() {
  if (lock_ >= 0) ::close(lock_);
}

void Gateway::say(const std::string& line) const {
  if (options_.say) options_.say(line);
}

Status Gateway::start() {
  TRY_VOID(env_.make_folders(site_->data_folder));
  TRY_VOID(lock_data());
  TRY_VOID(open_journal());
  TRY_VOID(open_store());
  TRY_VOID(start_channels());
  base::spawn(recover_and_listen());
  // Recovery runs to its end before anything listens; until then only this loop runs.
  net_.run();
  return started_;
}

/// One engine per data folder: two committers on one journal would break the rule of one writer (reliability.md S1).
Status Gateway::lock_data() {
  const std::string path = base::join_path(site_->data_folder, "kiln.lock");
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return base::fail(base::ErrorCode::io_failed, "the lock file cannot be opened", path);
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  return base::fail(base::ErrorCode::data_in_use, {}, site_->data_folder,
                    "stop the other engine, or give this site another data folder in kiln.conf");
}

Status Gateway::open_journal() {
  JournalOptions options;
  options.folder = base::join_path(site_->data_folder, "journal");
  // The first failed fsync ends the process: nobody may be answered after it (reliability.md R7).
  TRY(journal_, SqliteJournal::open(env_, clock_, committer_, options, [] { ::_exit(74); }));
  base::JsonWriter text;
  text.begin_array();
  for (const auto& [name, content] : site_->files) text.begin_array().string(name).string(content).end_array();
  text.end_array();
  journal_->keep_config(site_->hash, text.take());
  return {};
}

Status Gateway::open_store() {
  StoreOptions options;
  options.path = base::join_path(site_->data_folder, "fhir.db");
  options.base_url = fhir_url();
  options.clock = &clock_;
  options.env = &env_;
  FhirService::Parts parts;
  TRY(parts.writer, engine::open_store(options));
  TRY(parts.reader, parts.writer->open_reader());
  parts.write_executor = &store_write_;
  parts.read_executor = &store_read_;
  parts.home = &net_.executor();
  parts.clock = &clock_;
  parts.random = &store_random_;
  parts.access = access_.get();
  parts.base_url = fhir_url();
  parts.version = kVersion;
  fhir_ = std::make_unique<FhirService>(std::move(parts));
  return {};
}

std::string Gateway::fhir_url() const {
  const std::string listen = site_->server.block("http").text("listen");
  return "http://" + (listen.empty() ? "127.0.0.1:8080" : listen) + "/fhir";
}

Status Gateway::start_channels() {
  std::map<std::string, std::map<std::string, std::uint64_t>> waiting;
  for (const auto& [key, count] : journal_->recovered().pending) {
    const auto slash = key.find('/');
    waiting[key.substr(0, slash)][key.substr(slash + 1)] = count;
  }
  for (const channels::ChannelDefinition& definition : site_->channels) {
    if (definition.disabled) continue;
    ChannelRuntime::Parts parts{
        site_,   &definition, journal_.get(), &net_.executor(), &clock_,
        &random_, &processor_, &budget_,
        {net_, env_, file_work_, clock_, definition.name, site_->folder, fhir_.get(), fhir_.get()},
        {}};
    channels_.push_back(std::make_unique<ChannelRuntime>(std::move(parts)));
    waiting.erase(definition.name);
  }
  for (const auto& [channel, counts] : waiting)
    for (const auto& [destination, count] : counts)
      say("note: " + std::to_string(count) + " messages wait for " + channel + "/" + destination +
          ", which this site does not have; they stay in the journal");
  return {};
}

/// Recovery ends before any queue delivers and before anything listens (reliability.md R11).
Task<void> Gateway::recover_and_listen() {
  std::map<std::string, std::vector<MessageId>> unprocessed;
  for (const MessageId id : journal_->recovered().unprocessed) {
    base::Completion<base::Result<StoredMessage>> read(net_.executor());
    journal_->read_message(id, [read](base::Result<StoredMessage> stored) { read.set(std::move(stored)); });
    const base::Result<StoredMessage> stored = co_await read;
    unprocessed[stored ? stored->message.channel : std::string()].push_back(id);
  }
  for (const auto& channel : channels_) {
    auto recovering = channel->recover(std::move(unprocessed[channel->definition().name]));
    started_ = co_await std::move(recovering);
    if (!started_) break;
  }
  if (started_) started_ = start_queues();
  for (const auto& channel : channels_) {
    if (!started_) break;
    started_ = channel->start_source();
    if (!started_) started_.error().place = channel->definition().name + (started_.error().place.empty() ? "" : ", " + started_.error().place);
  }
  if (started_) started_ = serve_http();
  net_.stop();
}

Status Gateway::start_queues() {
  std::map<std::string, std::map<std::string, std::uint64_t>> waiting;
  for (const auto& [key, count] : journal_->recovered().pending) {
    const auto slash = key.find('/');
    waiting[key.substr(0, slash)][key.substr(slash + 1)] = count;
  }
  for (const auto& channel : channels_)
    TRY_VOID(channel->start_queues(waiting[channel->definition().name], journal_->recovered().last_id,
                                   journal_->recovered().clean_stop));
  return {};
}

Status Gateway::serve_http() {
  const std::string listen = site_->server.block("http").text("listen");
  const std::string address = listen.empty() ? "127.0.0.1:8080" : listen;
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
  auto handler = [this](base::HttpRequest request) { return on_fhir(std::move(request)); };
  TRY(http_, channels::HttpServer::start(net_, host, port, handler));
  const std::string socket = base::join_path(site_->data_folder, "kiln.sock");
  auto listen_unix = [this, socket](base::Network::OnAccept on_accept) { return net_.listen_unix(socket, std::move(on_accept)); };
  auto control = [this](base::HttpRequest request) { return handle_control(*this, std::move(request)); };
  TRY(control_, channels::HttpServer::start(net_, listen_unix, control));
  return {};
}

Task<base::HttpResponse> Gateway::on_fhir(base::HttpRequest request) {
  if (request.path() != "/fhir" && !request.path().starts_with("/fhir/")) {
    base::HttpResponse response;
    response.status = 404;
    response.headers.set("Content-Type", "text/plain; charset=UTF-8");
    response.body = "Kiln " + std::string(kVersion) + ": the FHIR API is at /fhir (/fhir/metadata describes it)\n";
    co_return response;
  }
  fhir::Principal principal;
  principal.loopback = is_loopback(request.peer);
  base::Completion<base::HttpResponse> answered(net_.executor());
  fhir_->handle(std::move(request), principal, [answered](base::HttpResponse response) { answered.set(std::move(response)); });
  base::HttpResponse response = co_await answered;
  co_return response;
}

int Gateway::run() {
  net_.on_signals({SIGINT, SIGTERM}, [this](int) { stop(); });
  net_.run();
  return exit_code_;
}

void Gateway::stop() {
  net_.executor().post([this] {
    if (std::exchange(stopping_, true)) return;
    base::spawn(drain());
  });
}

/// Takes no more, finishes what is under way, records every outcome (reliability.md R12).
Task<void> Gateway::drain() {
  say("stopping: no new messages are taken, sends in progress are finished");
  if (fhir_) fhir_->wake();
  for (const auto& channel : channels_) co_await channel->stop_source();
  if (http_) co_await http_->stop();
  if (control_) co_await control_->stop();
  for (const auto& channel : channels_)
    for (const auto& queue : channel->queues()) queue->begin_stop();
  for (const auto& channel : channels_) co_await channel->stop_queues();
  base::Completion<bool> flushed(net_.executor());
  journal_->find_duplicate({}, [flushed](base::Result<MessageId>) { flushed.set(true); });
  co_await flushed;
  if (const Status closed = journal_->close(); !closed) {
    base::log(base::LogLevel::error, "journal-close-failed", {{"error", base::Safe::code(closed.error().code)}});
    exit_code_ = 74;
  }
  net_.stop();
}

base::Result<JournalReader*> Gateway::journal_reader() {
  const std::string today = base::PartialDate::from_wall(clock_.wall(), base::DatePrecision::day).print_hl7();
  if (!reader_ || reader_day_ != today) {
    TRY(auto opened, JournalReader::open(env_, base::join_path(site_->data_folder, "journal")));
    reader_ = std::make_unique<JournalReader>(std::move(opened));
    reader_day_ = today;
  }
  return reader_.get();
}

}  // namespace kiln::engine
