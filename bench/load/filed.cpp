#include <algorithm>
#include <cstdio>
#include <iterator>

#include "bench/load/element_writer.h"
#include "bench/load/filed_study.h"
#include "bench/load/object.h"

namespace cairn::load {
namespace {

using Number = unsigned long long;

template <class... Values>
std::string text(const char* format, Values... values) {
  char out[96];
  const int n = std::snprintf(out, sizeof out, format, values...);
  return std::string(out, static_cast<std::size_t>(n));
}

struct Modality {
  const char* name;
  const char* sop_class;
  const char* description;
  unsigned share;  // of a hundred studies
};
constexpr Modality kModalities[] = {
    {"CR", "1.2.840.10008.5.1.4.1.1.1", "Chest PA", 22},
    {"CT", "1.2.840.10008.5.1.4.1.1.2", "CT thorax abdomen", 24},
    {"DX", "1.2.840.10008.5.1.4.1.1.1.1", "Hand left", 14},
    {"MG", "1.2.840.10008.5.1.4.1.1.1.2", "Mammography screening", 5},
    {"MR", "1.2.840.10008.5.1.4.1.1.4", "MR knee right", 15},
    {"NM", "1.2.840.10008.5.1.4.1.1.20", "Bone scintigraphy", 2},
    {"US", "1.2.840.10008.5.1.4.1.1.6.1", "US abdomen", 15},
    {"XA", "1.2.840.10008.5.1.4.1.1.12.1", "Coronary angiography", 3},
};

constexpr const char* kStems[] = {"Ander", "Berg",  "Castel", "Dahl", "Eich", "Fern", "Gold", "Hart", "Iva",    "Jans",
                                  "Koval", "Linde", "Martin", "Nov",  "Olse", "Petr", "Ros",  "Sato", "Torres", "Wein"};
constexpr const char* kMiddles[] = {"", "a", "e", "in", "o", "er", "ell", "ar", "u", "ov"};
constexpr const char* kEndings[] = {"", "son", "mann", "ez", "ski", "berg", "ini", "sen", "ová", "ström"};
constexpr const char* kGiven[] = {"Anna", "Ben",  "Carla", "David", "Eva",  "Femi", "Grace", "Hugo", "Inés", "Jan",
                                  "Kaya", "Liam", "Mina",  "Noah",  "Olga", "Paul", "Rosa",  "Sven", "Tara", "Zoë"};
struct Script {
  const char* latin;
  const char* ideographic;
};
constexpr Script kScripts[] = {{"Yamada^Tarou", "山田^太郎"}, {"Sato^Hanako", "佐藤^花子"},
                               {"Wang^XiaoDong", "王^小东"},  {"Hong^Gildong", "洪^吉洞"},
                               {"Suzuki^Ken", "鈴木^健"},     {"Li^Na", "李^娜"}};
constexpr const char* kOtherScripts[] = {"Люкceмбypг^Ирина", "Διονυσιος^Νικος", "قباني^لنزار", "Иванов^Пётр"};

// Low numbers come more often than high ones, as some names do.
template <class T, std::size_t N>
const T& skewed(const T (&from)[N], std::uint64_t random) {
  const double x = static_cast<double>(random % 65536) / 65536;
  return from[static_cast<std::size_t>(x * x * N)];
}

void name(FiledStudy& s, std::uint64_t r) {
  const std::uint64_t kind = r % 100;
  r = mix(r);
  if (kind < 4) {
    const Script& script = kScripts[r % std::size(kScripts)];
    // Numbered, as there are more people than names here.
    s.patient_name = text("%s%llu=%s", script.latin, static_cast<Number>(r / 64 % 5000), script.ideographic);
  } else if (kind < 6) {
    s.patient_name = text("%s%llu", kOtherScripts[r % std::size(kOtherScripts)], static_cast<Number>(r / 64 % 5000));
  } else {
    s.patient_name = skewed(kStems, r);
    s.patient_name += skewed(kMiddles, r >> 16);
    s.patient_name += skewed(kEndings, r >> 32);
    s.patient_name += '^';
    s.patient_name += skewed(kGiven, r >> 48);
    r = mix(r);
    s.patient_name += r % 3 == 0 ? text("^%s", kGiven[r / 3 % std::size(kGiven)]) : std::string();
  }
  s.family_name = s.patient_name.substr(0, s.patient_name.find('^'));
}

class FiledCorpus final : public Corpus {
 public:
  FiledCorpus(std::uint64_t seed, std::uint64_t instances) : seed_(seed), instances_(instances) {}

  std::uint64_t size() const noexcept override { return 0; }
  std::vector<std::pair<std::string, std::string>> contexts() const override {
    std::vector<std::pair<std::string, std::string>> all;
    for (const Modality& m : kModalities) all.emplace_back(m.sop_class, kSyntax);
    return all;
  }
  void make(std::uint64_t sender, std::uint64_t index, Object& o) const override {
    const FiledStudy s = filed_study(seed_, sender, index / instances_);
    const std::uint64_t in_study = index % instances_;
    const std::uint64_t series = in_study * s.series / instances_ + 1;
    o.study_instance_uid = s.study_instance_uid;
    o.series_instance_uid = s.study_instance_uid + text("%02llu", static_cast<Number>(series));
    o.sop_instance_uid = o.series_instance_uid + text("%06llu", static_cast<Number>(in_study + 1));
    o.sop_class_uid = s.sop_class_uid;
    o.transfer_syntax_uid = kSyntax;
    o.body.clear();
    o.body_bytes = 0;

    ElementWriter w(o.header);
    w.text(0x0008, 0x0005, "CS", "ISO_IR 192");
    w.text(0x0008, 0x0016, "UI", o.sop_class_uid);
    w.text(0x0008, 0x0018, "UI", o.sop_instance_uid);
    w.text(0x0008, 0x0020, "DA", s.study_date);
    w.text(0x0008, 0x0030, "TM", s.study_time);
    w.text(0x0008, 0x0050, "SH", s.accession_number);
    w.text(0x0008, 0x0060, "CS", s.modality);
    w.text(0x0008, 0x0080, "LO", "St. Elsewhere");
    w.text(0x0008, 0x0090, "PN", "Referrer^R");
    w.text(0x0008, 0x1030, "LO", s.description);
    w.text(0x0008, 0x103E, "LO", text("Series %llu", static_cast<Number>(series)));
    w.text(0x0010, 0x0010, "PN", s.patient_name);
    w.text(0x0010, 0x0020, "LO", s.patient_id);
    w.text(0x0010, 0x0030, "DA", s.birth_date);
    w.text(0x0010, 0x0040, "CS", s.sex);
    w.text(0x0020, 0x000D, "UI", o.study_instance_uid);
    w.text(0x0020, 0x000E, "UI", o.series_instance_uid);
    w.text(0x0020, 0x0010, "SH", "1");
    w.text(0x0020, 0x0011, "IS", text("%llu", static_cast<Number>(series)));
    w.text(0x0020, 0x0013, "IS", text("%llu", static_cast<Number>(in_study + 1)));
    w.us(0x0028, 0x0010, 512);
    w.us(0x0028, 0x0011, 512);
  }

 private:
  static constexpr const char* kSyntax = "1.2.840.10008.1.2.1";
  std::uint64_t seed_, instances_;
};

}  // namespace

FiledStudy filed_study(std::uint64_t seed, std::uint64_t sender, std::uint64_t study) {
  const std::uint64_t number = sender * 10'000'000 + study;
  // Every third study is of the patient of the one before it.
  const std::uint64_t patient = study % 3 == 2 ? number - 1 : number;
  const std::uint64_t p = mix(seed ^ mix(patient)), r = mix(p ^ mix(number + 1));
  FiledStudy s;
  s.study_instance_uid =
      text("2.25.5%08llu%010llu", static_cast<Number>(seed % 100'000'000), static_cast<Number>(number));
  s.patient_id = text("PID%09llu", static_cast<Number>(patient));
  s.accession_number = text("ACC%010llu", static_cast<Number>(number));
  name(s, p);
  s.birth_date = text("%04llu%02llu%02llu", static_cast<Number>(1930 + p % 85), static_cast<Number>(1 + p / 85 % 12),
                      static_cast<Number>(1 + p / 1020 % 28));
  s.sex = p >> 40 & 1 ? "F" : "M";
  s.study_date = text("%04llu%02llu%02llu", static_cast<Number>(2010 + r % 15), static_cast<Number>(1 + r / 15 % 12),
                      static_cast<Number>(1 + r / 180 % 28));
  s.study_time = text("%02llu%02llu%02llu", static_cast<Number>(7 + r / 5040 % 14), static_cast<Number>(r / 70560 % 60),
                      static_cast<Number>(r >> 32) % 60);
  unsigned share = static_cast<unsigned>((r >> 24) % 100);
  const Modality* modality = std::begin(kModalities);
  while (share >= modality->share) share -= (modality++)->share;
  s.modality = modality->name;
  s.sop_class_uid = modality->sop_class;
  s.description = modality->description;
  s.series = 1 + static_cast<unsigned>((r >> 48) % 3);
  return s;
}

std::unique_ptr<Corpus> filed_corpus(std::uint64_t seed, std::uint64_t instances) {
  return std::make_unique<FiledCorpus>(seed, instances);
}

}  // namespace cairn::load
