#include "engine/dicom/header_scan.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "engine/dicom/data_set.h"
#include "scan_outcome.h"
#include "stream_builder.h"

namespace cairn::dicom {
namespace {

using namespace test;

std::string deflate(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string in_meta(std::string_view transfer_syntax) {
  return StreamBuilder().file(transfer_syntax);
}

Header header_of(const ScanOutcome& o) {
  auto header = Header::deserialize(as_bytes(o.header));
  EXPECT_TRUE(header);
  return header ? std::move(header).value() : Header{};
}

// The error of a scan, however the stream is cut.
std::string error_of(const std::string& stream) {
  const ScanOutcome whole = scan_whole(stream);
  EXPECT_EQ(scan_in_pieces(stream, [](std::size_t) { return std::size_t{1}; }), whole);
  EXPECT_EQ(scan_in_pieces(stream, [](std::size_t) { return std::size_t{7}; }), whole);
  return whole.error;
}

// Explicit VR with `body` behind the instance's UIDs.
std::string with_body(const StreamBuilder& body) {
  return StreamBuilder().instance().raw(body.bytes()).file(kExplicitUID);
}

TEST(HeaderScan, ReadsTheKeyInEveryEncoding) {
  const std::pair<Encoding, std::string_view> cases[] = {
      {kExplicitLE, kExplicitUID}, {kImplicitLE, kImplicitUID}, {kExplicitBE, kBigEndianUID}};
  for (const auto& [encoding, uid] : cases) {
    const ScanOutcome o = scan_whole(StreamBuilder(encoding).instance().file(uid));
    EXPECT_EQ(o.error, "") << uid;
    EXPECT_EQ(o.key.sop_class_uid, "1.2.840.10008.5.1.4.1.1.2");
    EXPECT_EQ(o.key.sop_instance_uid, "1.2.3.4");
    EXPECT_EQ(o.key.study_instance_uid, "1.2.34");
    EXPECT_EQ(o.key.series_instance_uid, "1.2.56");
    EXPECT_EQ(header_of(o).encoding, encoding);
    EXPECT_EQ(header_of(o).transfer_syntax_uid, uid);
  }
}

TEST(HeaderScan, InflatesADeflatedDataSet) {
  const std::string pixels(100000, 'p');
  const std::string body = StreamBuilder().instance().element(tags::PixelData, VR::OW, pixels).bytes();
  const std::string stream = in_meta(kDeflatedUID) + deflate(body) + std::string(1, '\0');
  const ScanOutcome o = scan_whole(stream);
  ASSERT_EQ(o.error, "");
  const Header header = header_of(o);
  EXPECT_TRUE(header.was_deflated);
  EXPECT_FALSE(header.encoding.deflated);
  EXPECT_EQ(header.bytes, body.substr(0, body.size() - pixels.size()));
  EXPECT_EQ(o.pixel_data, (Extent{body.size() - pixels.size(), pixels.size()}));
  EXPECT_EQ(o.extents, (std::vector<Extent>{{0, stream.size()}}));
  EXPECT_EQ(scan_in_pieces(stream, [](std::size_t) { return std::size_t{1}; }), o);
}

TEST(HeaderScan, StopsADeflateBomb) {
  std::string body = StreamBuilder().instance().header(tags::PixelData, VR::OW, 0xfffffffe).bytes();
  body.append(std::size_t{300} << 20, '\0');
  EXPECT_NE(scan_whole(in_meta(kDeflatedUID) + deflate(body)).error.find("limit"), std::string::npos);
}

TEST(HeaderScan, RefusesADamagedDeflateStream) {
  std::string packed = deflate(StreamBuilder().instance().element(tags::PatientID, VR::LO, "id").bytes());
  EXPECT_NE(error_of(in_meta(kDeflatedUID) + packed.substr(0, packed.size() / 2)), "");
  packed[0] = '\x07';  // a block type that does not exist
  EXPECT_NE(error_of(in_meta(kDeflatedUID) + packed).find("deflated data set: malformed"), std::string::npos);
}

TEST(HeaderScan, LeavesOutPixelDataHoweverShort) {
  const StreamBuilder body = StreamBuilder().instance().element(tags::PixelData, VR::OW, "ab");
  const std::string stream = body.file(kExplicitUID);
  const ScanOutcome o = scan_whole(stream);
  ASSERT_EQ(o.error, "");
  EXPECT_EQ(o.pixel_data, (Extent{stream.size() - 2, 2}));
  ASSERT_EQ(header_of(o).holes.size(), 1u);
  EXPECT_EQ(header_of(o).holes[0].at, body.bytes().size() - 2);
  EXPECT_EQ(o.extents, (std::vector<Extent>{{0, stream.size() - 2}}));
}

TEST(HeaderScan, WalksFragmentsByTheirItemsOnly) {
  // The second fragment holds the bytes of a sequence delimiter.
  const std::string trap("\xfe\xff\xdd\xe0\0\0\0\0", 8);
  StreamBuilder body = StreamBuilder().instance().header(tags::PixelData, VR::OB, kUndefined);
  body.item(0).item(8).raw(trap).sequence_end().element(tags::DataSetTrailingPadding, VR::OB, "pp");
  const std::string stream = body.file(kExplicitUID);
  const ScanOutcome o = scan_whole(stream);
  ASSERT_EQ(o.error, "");
  EXPECT_EQ(o.pixel_data.length, 8u + 8 + 8 + 8);
  const Header header = header_of(o);
  ASSERT_EQ(header.holes.size(), 1u);
  EXPECT_TRUE(header.holes[0].encapsulated);
  EXPECT_EQ(scan_in_pieces(stream, [](std::size_t) { return std::size_t{1}; }), o);
  const auto set = DataSet::parse(header);
  ASSERT_TRUE(set);
  EXPECT_TRUE(set.value().contains(tags::DataSetTrailingPadding));  // elements behind the pixels are kept
}

TEST(HeaderScan, LeavesOutLongBinaryValuesAtAnyDepthAndKeepsText) {
  const std::string at_threshold(kBulkThresholdBytes, 'x'), past(kBulkThresholdBytes + 2, 'x');
  StreamBuilder inner;
  inner.element({0x0009, 0x1001}, VR::OB, at_threshold).element({0x0009, 0x1002}, VR::UN, past);
  inner.element({0x0009, 0x1003}, VR::LT, past);
  StreamBuilder body;
  body.header(tags::IconImageSequence, VR::SQ, kUndefined).item().raw(inner.bytes());
  body.element(tags::PixelData, VR::OB, "icon").item_end().sequence_end();
  const ScanOutcome o = scan_whole(with_body(body));
  ASSERT_EQ(o.error, "");
  const Header header = header_of(o);
  ASSERT_EQ(header.holes.size(), 1u);
  EXPECT_EQ(header.holes[0].length, past.size());
  EXPECT_EQ(o.pixel_data.length, 0u);  // an icon's pixels are not the instance's
  const auto set = DataSet::parse(header);
  ASSERT_TRUE(set);
  const DataSet* item = set.value().item(tags::IconImageSequence);
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->find(tags::PixelData)->value, "icon");
  EXPECT_EQ(item->find({0x0009, 0x1003})->value, past);
  EXPECT_TRUE(item->find({0x0009, 0x1002})->bulk);
}

TEST(HeaderScan, TakesTheKeyFromTheTopLevelAndTheFirstOccurrence) {
  StreamBuilder reference;
  reference.header(tags::ReferencedStudySequence, VR::SQ, kUndefined).item();
  reference.element(tags::StudyInstanceUID, VR::UI, "9.9.99").item_end().sequence_end();
  StreamBuilder body;
  body.instance(reference.bytes()).element(tags::SeriesInstanceUID, VR::UI, "7.7.77");
  const ScanOutcome o = scan_whole(body.file(kExplicitUID));
  ASSERT_EQ(o.error, "");
  EXPECT_EQ(o.key.study_instance_uid, "1.2.34");
  EXPECT_EQ(o.key.series_instance_uid, "1.2.56");
}

TEST(HeaderScan, ReadsUNSequencesAsImplicitAndAsExplicit) {
  StreamBuilder implicit(kImplicitLE), explicit_vr;
  implicit.element(tags::CodeValue, VR::SH, "IMPL");
  explicit_vr.element(tags::CodeValue, VR::SH, "EXPL");
  for (const auto& [inner, value] : {std::pair(implicit.bytes(), "IMPL"), std::pair(explicit_vr.bytes(), "EXPL")}) {
    StreamBuilder body;
    body.header({0x0029, 0x1001}, VR::UN, kUndefined).item().raw(inner).item_end();
    body.item(static_cast<std::uint32_t>(inner.size())).raw(inner).sequence_end();
    const ScanOutcome o = scan_whole(with_body(body));
    ASSERT_EQ(o.error, "");
    const auto set = DataSet::parse(header_of(o));
    ASSERT_TRUE(set);
    const DataSet* item = set.value().item({0x0029, 0x1001}, 1);
    ASSERT_NE(item, nullptr);
    EXPECT_EQ(item->text(tags::CodeValue), value);
  }
}

TEST(HeaderScan, RecognisesADataSetThatIsNotWhatTheMetaSays) {
  const ScanOutcome implicit = scan_whole(StreamBuilder(kImplicitLE).instance().file(kExplicitUID));
  EXPECT_EQ(implicit.error, "");
  EXPECT_EQ(header_of(implicit).encoding, kImplicitLE);
  EXPECT_EQ(header_of(implicit).transfer_syntax_uid, kExplicitUID);
  const ScanOutcome explicit_vr = scan_whole(StreamBuilder().instance().file(kImplicitUID));
  EXPECT_EQ(explicit_vr.error, "");
  EXPECT_EQ(header_of(explicit_vr).encoding, kExplicitLE);
}

TEST(HeaderScan, ReadsVRsThatAreNone) {
  StreamBuilder body;
  body.u16(0x0028).u16(0x0120).raw("  ").u16(2).raw("\1\2");         // two spaces: a length of 16 bits
  body.u16(0x0029).u16(0x1001).raw("ZZ").u16(0).u32(4).raw("zzzz");  // a VR of the future: a length of 32 bits
  body.element(tags::RescaleIntercept, VR::DS, "-1");
  const ScanOutcome o = scan_whole(with_body(body));
  ASSERT_EQ(o.error, "");
  const auto set = DataSet::parse(header_of(o));
  ASSERT_TRUE(set);
  EXPECT_EQ(set.value().find({0x0029, 0x1001})->vr, VR::UN);
  EXPECT_EQ(set.value().find({0x0029, 0x1001})->value, "zzzz");
}

TEST(HeaderScan, NestsToItsLimitAndNoDeeper) {
  const auto nested = [](int levels) {
    StreamBuilder body;
    for (int i = 0; i < levels; ++i) body.header({0x0040, 0xa730}, VR::SQ, kUndefined).item();
    for (int i = 0; i < levels; ++i) body.item_end().sequence_end();
    return with_body(body);
  };
  EXPECT_EQ(error_of(nested(kMaxNesting)), "");
  EXPECT_NE(error_of(nested(kMaxNesting + 1)).find("nesting of sequences"), std::string::npos);
  EXPECT_NE(error_of(nested(10000)).find("nesting of sequences"), std::string::npos);
}

TEST(HeaderScan, EndlessHeadersHitTheLimit) {
  StreamBuilder start;
  start.instance().header({0x0040, 0xa730}, VR::SQ, kUndefined);
  HeaderScanner scanner;
  ASSERT_TRUE(scanner.feed(as_bytes(start.file(kExplicitUID))));
  std::string items;
  StreamBuilder item;
  item.item(0);
  for (int i = 0; i < 8192; ++i) items += item.bytes();
  std::size_t fed = 0;
  Result<> result = scanner.feed(as_bytes(items));
  for (; result && fed < 2 * kMaxHeaderBytes; fed += items.size()) result = scanner.feed(as_bytes(items));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), Errc::limit_exceeded);
  EXPECT_LE(fed, kMaxHeaderBytes + items.size());
  EXPECT_EQ(scanner.feed(as_bytes(items)).error(), Errc::limit_exceeded);  // it keeps failing
  EXPECT_EQ(scanner.finish().error(), Errc::limit_exceeded);
}

TEST(HeaderScan, AHugeAnnouncedLengthAllocatesNothing) {
  StreamBuilder implicit_text(kImplicitLE);
  implicit_text.instance().header(tags::PatientComments, VR::LT, 0xfffffffe);
  EXPECT_NE(error_of(implicit_text.file(kImplicitUID)).find("size of the header: "), std::string::npos);
  StreamBuilder pixels;
  pixels.header(tags::PixelData, VR::OW, 0xfffffffe).raw("few");
  EXPECT_NE(error_of(with_body(pixels)).find("inside Pixel Data"), std::string::npos);
}

TEST(HeaderScan, EveryProperPrefixIsRefused) {
  StreamBuilder body;
  body.header(tags::ReferencedSeriesSequence, VR::SQ, kUndefined).item();
  body.element(tags::FrameOfReferenceUID, VR::UI, "1.2.99").item_end().sequence_end();
  body.header(tags::PixelData, VR::OB, kUndefined).item(0).item(4).raw("jpeg").sequence_end();
  const std::string stream = with_body(body);
  ASSERT_EQ(scan_whole(stream).error, "");
  const std::size_t body_starts = stream.size() - body.bytes().size();
  // Where the stream ends between two elements of the top level nothing can be missed.
  const std::size_t pixels_start = stream.size() - (12 + 8 + 8 + 4 + 8);
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const std::string error = scan_whole(std::string_view(stream).substr(0, size)).error;
    if (size == body_starts || size == pixels_start) {
      EXPECT_EQ(error, "") << size;
    } else {
      EXPECT_NE(error, "") << size;
    }
  }
}

TEST(HeaderScan, NamesWhatIsMissing) {
  StreamBuilder none, no_study, bad_uid;
  none.element(tags::Modality, VR::CS, "CT");
  EXPECT_EQ(error_of(none.file(kExplicitUID)).substr(0, 24), "SOP Class UID (0008,0016");
  no_study.element(tags::SOPClassUID, VR::UI, "1.2.30").element(tags::SOPInstanceUID, VR::UI, "1.2.31");
  EXPECT_EQ(error_of(no_study.file(kExplicitUID)), "Study Instance UID (0020,000D): missing");
  bad_uid.element(tags::SOPClassUID, VR::UI, "1.2.30").element(tags::SOPInstanceUID, VR::UI, "../../");
  EXPECT_EQ(error_of(bad_uid.file(kExplicitUID)), "SOP Instance UID (0008,0018): malformed");
  EXPECT_NE(error_of(StreamBuilder().instance().bytes() + std::string(200, '\0')).find("File Meta"), std::string::npos);
}

TEST(HeaderScan, NamesWhatIsMalformed) {
  const std::uint32_t q = kUndefined;
  const Tag sequence = tags::ReferencedSeriesSequence;
  const std::pair<StreamBuilder, std::string_view> cases[] = {
      {StreamBuilder().header(sequence, VR::SQ, 24).item(17).raw(std::string(40, 'a')),
       "item longer than its sequence"},
      {StreamBuilder().header(sequence, VR::SQ, 20).item(12).header(tags::PatientID, VR::LO, 6).raw("abcdef"),
       "value longer than its item"},
      {StreamBuilder().header(sequence, VR::SQ, 12).item(4).element(tags::PatientID, VR::LO, "abcdef"),
       "element header past the end of its item"},
      {StreamBuilder().header(sequence, VR::SQ, 8).item().item_end(), "sequence or item without its delimiter"},
      {StreamBuilder().header(sequence, VR::SQ, q).element(tags::PatientID, VR::LO, "ab"), "sequence without an item"},
      {StreamBuilder().header(sequence, VR::SQ, q).item_end(), "item or delimiter out of place"},
      {StreamBuilder().item(0), "item or delimiter out of place"},
      {StreamBuilder().header(tags::PatientComments, VR::UT, q), "undefined length of a value"},
      {StreamBuilder().header(tags::PixelData, VR::OB, q).element(tags::PatientID, VR::LO, "ab"),
       "fragment of encapsulated data"},
      {StreamBuilder().header(tags::PixelData, VR::OB, q).item(q), "fragment of encapsulated data"},
      {StreamBuilder().element(tags::Rows, VR::US, "ab").raw(std::string(40, '\0')).raw("x"),
       "data behind trailing padding"},
  };
  for (const auto& [body, name] : cases) EXPECT_EQ(error_of(with_body(body)).substr(0, name.size()), name);
}

TEST(HeaderScan, ToleratesPaddingAndSuperfluousDelimiters) {
  for (const std::size_t zeros : {1u, 7u, 8u, 9u, 12u, 500u}) {
    const std::string stream = with_body(StreamBuilder().element(tags::Rows, VR::US, "ab")) + std::string(zeros, '\0');
    EXPECT_EQ(error_of(stream), "") << zeros;
    EXPECT_EQ(header_of(scan_whole(stream)).bytes.back(), 'b') << zeros;
  }
  StreamBuilder body;
  body.header(tags::ReferencedSeriesSequence, VR::SQ, 24).item(8).item_end().sequence_end();
  EXPECT_EQ(error_of(with_body(body)), "");
}

TEST(HeaderScan, FindsTheDataSetWithoutHelpFromTheMeta) {
  const std::string file = StreamBuilder().instance().file(kExplicitUID);
  EXPECT_EQ(error_of(file.substr(128)), "");  // "DICM" without preamble
  std::string wrong_length = file;
  wrong_length[140] = '\x02';
  EXPECT_EQ(error_of(wrong_length), "");
  std::string no_length = file;
  no_length.erase(132, 12);
  EXPECT_EQ(error_of(no_length), "");
}

TEST(HeaderScan, RescanRefusesExtentsThatAreNotItsOwn) {
  const std::string stream = with_body(StreamBuilder().element(tags::PixelData, VR::OW, "abcdefgh"));
  const std::string kept = stream.substr(0, stream.size() - 8);
  EXPECT_TRUE(HeaderScanner::rescan({{0, kept.size()}}, as_bytes(kept), stream.size()));
  EXPECT_EQ(HeaderScanner::rescan({{0, kept.size()}}, as_bytes(kept), stream.size() + 1).error(), Errc::corrupt);
  EXPECT_EQ(HeaderScanner::rescan({{0, kept.size() + 1}}, as_bytes(kept), stream.size()).error(), Errc::corrupt);
  EXPECT_EQ(HeaderScanner::rescan({{1, kept.size()}}, as_bytes(kept), stream.size()).error(), Errc::corrupt);
  EXPECT_FALSE(HeaderScanner::rescan({{0, kept.size() - 3}}, as_bytes(kept).first(kept.size() - 3), stream.size()));
  EXPECT_FALSE(HeaderScanner::rescan({}, {}, 0));
}

TEST(StoredHeader, EveryProperPrefixIsCorrupt) {
  const std::string stored = scan_whole(with_body(StreamBuilder().element(tags::PixelData, VR::OW, "ab"))).header;
  ASSERT_TRUE(Header::deserialize(as_bytes(stored)));
  for (std::size_t size = 0; size < stored.size(); ++size) {
    const auto header = Header::deserialize(as_bytes(stored).first(size));
    ASSERT_FALSE(header) << size;
    EXPECT_EQ(header.error(), Errc::corrupt) << size;
  }
  EXPECT_FALSE(Header::deserialize(as_bytes(stored + "x")));
}

}  // namespace
}  // namespace cairn::dicom
