// kiln init: a new site that runs at once.

#include "engine/base/env.h"
#include "engine/base/json.h"
#include "engine/command.h"

namespace kiln::engine {
namespace {

constexpr const char* kConf = R"(// A site of Kiln. `kiln check .` looks it over, `kiln run .` serves it.
server {
  data "data"
  timezone "UTC"
  http { listen 127.0.0.1:8080 }       // FHIR at /fhir
  console { listen 127.0.0.1:8081 }    // the console; beyond this machine it needs `tls { … }`
}
)";

constexpr const char* kChannel = R"(module site

// Admissions come over MLLP and become patients of the FHIR store.
channel adt_in {
  source mllp { port 2575 }
  accept hl7 ADT_A01 2.5.1
  map patients = adt_to_patient
  to store: fhir from patients { }
}
)";

constexpr const char* kMap = R"(module site

map adt_to_patient(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction {
  create patient: Patient {
    birthDate = PID-7
    gender    = PID-8 via AdministrativeSex else "unknown"
    name += {
      family = PID-5[1].1.1
      given += PID-5[1].2
    }
  }
}

test "a birth date" {
  given hl7 """
MSH|^~\&|LAB|CITY|KILN|CITY|20260101120000+0000||ADT^A01^ADT_A01|1|P|2.5.1
EVN||20260101120000+0000
PID|1||700412^^^CITY^MR||EXAMPLE^EVE||19700101|F
PV1|1|I
"""
  run adt_to_patient
  expect patient.birthDate == "1970-01-01"
  expect patient.name[1].family == "EXAMPLE"
}
)";

constexpr const char* kSample =
    "MSH|^~\\&|LAB|CITY|KILN|CITY|20260101120000||ADT^A01^ADT_A01|FIRST1|P|2.5.1\r"
    "EVN||20260101120000\r"
    "PID|1||700412^^^CITY^MR||EXAMPLE^EVE||19700101|F\r"
    "PV1|1|I\r";

constexpr std::pair<const char*, const char*> kFiles[] = {{"kiln.conf", kConf},
                                                          {"channels/adt_in.channel", kChannel},
                                                          {"maps/patient.hmap", kMap},
                                                          {"samples/a01.hl7", kSample}};

base::Status make(const std::string& folder) {
  base::Env& env = base::system_env();
  if (env.exists(folder)) {
    TRY(const auto there, env.list(folder));
    if (!there.empty())
      return base::fail(base::ErrorCode::already_exists, "the folder is not empty", folder, "name a new one");
  }
  for (const auto& [name, text] : kFiles) {
    const std::string path = base::join_path(folder, name);
    TRY_VOID(env.make_folders(std::string(base::folder_of(path))));
    TRY_VOID(env.write_file_atomic(path, text));
  }
  return {};
}

int run(const Arguments& arguments) {
  const std::string folder = arguments.text("SITE");
  if (const base::Status made = make(folder); !made) return report(made.error(), arguments);
  if (arguments.json()) {
    base::JsonWriter json;
    json.begin_object().member("site", folder).key("files").begin_array();
    for (const auto& [name, text] : kFiles) json.string(name);
    print(json.end_array().end_object().take() + "\n");
    return kExitOk;
  }
  print(
      "a site is in " + folder + ". Next:\n\n  kiln run " + folder +
      "                      serves it; open the console at the address it prints\n  kiln send " + folder +
      "/samples/a01.hl7 --to 127.0.0.1:2575   in another terminal: the first message\n  kiln search --site " +
      folder + "            where it went\n  kiln doctor --site " + folder +
      "            what the machine still lacks\n");
  return kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"SITE", "a new or empty folder"}};
constexpr ExampleSpec kExamples[] = {
    {"kiln init demo", "a channel, a map, a test and a sample that run at once"}};

}  // namespace

const CommandSpec& init_spec() {
  static const CommandSpec spec{"init",
                                "Run",
                                "make a new site that runs at once",
                                "Writes kiln.conf with the console on loopback, one channel from MLLP to "
                                "FHIR, its map with a test, and a sample.",
                                kArguments,
                                {},
                                kExamples,
                                run};
  return spec;
}

}  // namespace kiln::engine
