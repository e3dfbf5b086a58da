#include "engine/bulk/local_server.h"

#include <unistd.h>

#include <future>

#include "channels/definition.h"
#include "engine/base/limits.h"
#include "engine/detail/site_data.h"
#include "engine/store/sqlite_store.h"
#include "engine/version.h"

namespace kiln::engine {

using base::Result;

Result<LocalStore> LocalStore::find(const Arguments& arguments, base::Env& env) {
  LocalStore store;
  TRY(store.folder, detail::data_folder(arguments));
  if (arguments.has("--data")) return store;
  const std::string site = arguments.text("--site", ".");
  TRY(std::string text, env.read_file(base::join_path(site, "kiln.conf"), base::limits::kHmapFileBytesMax));
  const channels::SiteLoad load = channels::load_site_texts({{"kiln.conf", std::move(text)}});
  if (!load.site) return base::fail(base::ErrorCode::site_invalid, "kiln.conf has errors", site);
  const std::string listen = load.site->server.block("http").text("listen");
  if (!listen.empty()) store.base_url = "http://" + listen + "/fhir";
  TRY(store.rules, read_fhir_rules(load.site->server, site, env));
  return store;
}

Result<std::unique_ptr<LocalServer>> LocalServer::open(LocalStore store, base::Env& env, base::TimerExecutor& home) {
  std::unique_ptr<LocalServer> server(new LocalServer);
  TRY_VOID(env.make_folders(store.folder));
  TRY(server->lock_, detail::DataLock::take(store.folder));
  StoreOptions options;
  options.path = store.path();
  options.base_url = store.base_url;
  options.clock = &server->clock_;
  options.env = &env;
  // Values come in no order of the indexes: what fits in memory is written once for many resources.
  options.cache_kib = 256 * 1024;
  options.checkpoint_pages = 16'384;
  FhirService::Parts parts;
  TRY(parts.writer, open_store(options));
  TRY(auto reader, parts.writer->open_reader());
  parts.readers.push_back({std::move(reader), &server->reading_});
  server->writer_ = parts.writer.get();
  parts.write_executor = &server->writing_;
  parts.home = &home;
  parts.clock = &server->clock_;
  parts.random = &server->random_;
  parts.access = &server->access_;
  parts.base_url = store.base_url;
  parts.version = kVersion;
  parts.rules = std::move(store.rules);
  parts.fail_stop = [] { ::_exit(kExitIo); };
  server->service_ = std::make_unique<FhirService>(std::move(parts));
  return server;
}

LocalServer::~LocalServer() = default;

void LocalServer::checkpoint() {
  std::promise<void> done;
  writing_.post([&] {
    (void)writer_->checkpoint();  // what stays in the log is read from there
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace kiln::engine
