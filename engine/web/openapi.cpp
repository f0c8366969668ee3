#include "engine/web/openapi.h"

namespace cairn::web {

const std::string_view kOpenApi = R"json({
  "openapi": "3.0.3",
  "info": {
    "title": "Cairn",
    "version": "1",
    "description": "Cairn's own API, beside DICOMweb at /dicom-web. Faults are JSON objects with status, error and where; they name UIDs, never patients."
  },
  "paths": {
    "/api/v1/instances": {
      "post": {
        "summary": "Store one DICOM file",
        "description": "The body is one Part 10 file, or a data set without preamble or meta information. Answered when the instance is on stable storage. For callers on this machine unless http.admin_off_loopback is set.",
        "requestBody": {"required": true, "content": {"application/dicom": {}, "application/octet-stream": {}}},
        "responses": {
          "200": {"description": "In the archive", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Stored"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "403": {"$ref": "#/components/responses/Fault"},
          "409": {"description": "Other content is stored under this UID and the policy keeps it", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Stored"}}}},
          "413": {"$ref": "#/components/responses/Fault"},
          "415": {"$ref": "#/components/responses/Fault"},
          "503": {"$ref": "#/components/responses/Fault"},
          "507": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/verify": {
      "post": {
        "summary": "Check every stored byte against its checksums",
        "description": "Answers with one JSON object a line: progress, faults, and a last one with done. One verification runs at a time.",
        "responses": {
          "200": {"description": "Lines", "content": {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/VerifyLine"}}}},
          "403": {"$ref": "#/components/responses/Fault"},
          "409": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/compaction": {
      "get": {
        "summary": "How compaction is doing, and what the last one did",
        "responses": {
          "200": {"description": "Its state", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Compaction"}}}},
          "403": {"$ref": "#/components/responses/Fault"}
        }
      },
      "post": {
        "summary": "Give back the space of what nobody can ask for any more",
        "description": "In the background, at archive.compaction_mib_per_s: of removals older than archive.restore_days, which are final from then on, of content that was replaced or came again unchanged, and of what was never finished. For callers on this machine and those of http.manage_from.",
        "parameters": [
          {"name": "survey", "in": "query", "description": "true: only count what there is", "schema": {"type": "boolean", "default": false}}
        ],
        "responses": {
          "202": {"description": "Begun", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Compaction"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "403": {"$ref": "#/components/responses/Fault"},
          "409": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/conformance": {
      "get": {
        "summary": "The DICOM conformance statement of this server, as configured",
        "responses": {
          "200": {"description": "PS3.2, made from the tables that the server works with", "content": {"text/markdown": {}}}
        }
      }
    },
    "/api/v1/stats": {
      "get": {
        "summary": "What the archive holds and how it is doing",
        "responses": {
          "200": {"description": "Numbers", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Stats"}}}},
          "403": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/removed": {
      "get": {
        "summary": "What was removed and not restored, newest first",
        "description": "Removed by DELETE on a study, series or instance of /dicom-web with only-copy=true. For callers on this machine and those of http.manage_from.",
        "parameters": [
          {"name": "study", "in": "query", "description": "of this Study Instance UID only", "schema": {"type": "string"}},
          {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 100, "maximum": 1000}},
          {"name": "before", "in": "query", "description": "goes on behind this removal; Link has it", "schema": {"type": "integer"}}
        ],
        "responses": {
          "200": {"description": "Removals; Link names the next page", "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Removed"}}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "403": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/removed/{removal}/restore": {
      "post": {
        "summary": "Undo a removal",
        "description": "Without a body. For callers on this machine and those of http.manage_from.",
        "parameters": [
          {"name": "removal", "in": "path", "required": true, "schema": {"type": "integer"}},
          {"name": "reason", "in": "query", "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {"description": "What is back", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Removed"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "403": {"$ref": "#/components/responses/Fault"},
          "404": {"$ref": "#/components/responses/Fault"},
          "409": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/changes": {
      "get": {
        "summary": "What the archive did, in order: to follow it",
        "description": "Each instance that was stored or took other content's place, and each removal, restoration or other event, exactly once, in the order of the log, not before it is on stable storage and in the index. What changed nothing (sent again, refused) is left out. Positions are for ever, over restarts, reindexing and compaction: go on at `next`, after any time away.",
        "parameters": [
          {"name": "since", "in": "query", "description": "changes after this position; 0: from the beginning", "schema": {"type": "integer", "minimum": 0, "default": 0}},
          {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 1000}},
          {"name": "wait", "in": "query", "description": "seconds that an answer without changes is held back for one to come", "schema": {"type": "integer", "minimum": 0, "maximum": 60, "default": 0}},
          {"name": "study", "in": "query", "description": "of this Study Instance UID only; an answer may be empty and its `next` be short of `last`", "schema": {"type": "string"}},
          {"name": "kind", "in": "query", "description": "of this kind only", "schema": {"type": "string", "enum": ["stored", "replaced", "removed", "restored", "corrected"]}}
        ],
        "responses": {
          "200": {"description": "Changes", "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {
              "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}},
              "next": {"type": "integer", "description": "where to go on"},
              "last": {"type": "integer", "description": "the position that the archive had reached"}
            }
          }}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "409": {"description": "The position is ahead of this archive: of another one, or of this one before it was set back", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}},
          "503": {"description": "Too many clients wait already", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}}
        }
      }
    },
    "/api/v1/retention": {
      "get": {
        "summary": "What the retention rules would remove now, and why; removes nothing",
        "description": "For callers on this machine and those of http.manage_from. Rules are [[retention.rule]] of the configuration.",
        "parameters": [
          {"name": "limit", "in": "query", "description": "studies or series listed for each rule", "schema": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}}
        ],
        "responses": {
          "200": {"description": "Rules, oldest first what each applies to", "content": {"application/json": {"schema": {
            "type": "object",
            "properties": {
              "held": {"type": ["string", "null"], "description": "why no rule removes anything now"},
              "per_hour": {"type": "integer"},
              "left_this_hour": {"type": "integer"},
              "free_bytes": {"type": "integer", "description": "on the storage volumes"},
              "removed_bytes": {"type": "integer", "description": "of what can be restored; counts as free for rules by free space"},
              "rules": {"type": "array", "items": {"type": "object", "properties": {
                "rule": {"type": "string"},
                "waits_for": {"type": "string", "description": "why it removes nothing; absent: it would"},
                "more": {"type": "boolean", "description": "than are listed"},
                "expired": {"type": "array", "items": {"type": "object", "properties": {
                  "study_instance_uid": {"type": "string"},
                  "series_instance_uid": {"type": "string"},
                  "study_date": {"type": "string"},
                  "last_change": {"type": "string", "format": "date-time"},
                  "instances": {"type": "integer"},
                  "bytes": {"type": "integer"}
                }}}
              }}}
            }
          }}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "403": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/studies/{study}/state": {
      "get": {
        "summary": "Whether the study is complete, and why",
        "description": "Computed at the request: complete when no instance was added or replaced for archive.study_complete_after_s and all is there that storage commitments name. It is receiving again when one is; one that is sent again unchanged is none.",
        "parameters": [
          {"name": "study", "in": "path", "required": true, "description": "Study Instance UID", "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {"description": "State", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StudyState"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "404": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/studies/{study}/series/{series}/volume": {
      "get": {
        "summary": "How the series became volumes, and what was odd about it",
        "parameters": [
          {"name": "study", "in": "path", "required": true, "description": "Study Instance UID", "schema": {"type": "string"}},
          {"name": "series", "in": "path", "required": true, "description": "Series Instance UID", "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {"description": "Report: dimensions, spacing and positions in millimetres, patient coordinates LPS", "content": {"application/json": {"schema": {"type": "object"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "404": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/studies/{study}/series/{series}/volume.nrrd": {
      "get": {
        "summary": "The volume as NRRD",
        "description": "Values after the Modality LUT: int16 where all fit, else int32, else float32. Axes as they are, in LPS. A volume whose slices lie at uneven places is refused with 422: the format knows one step; a difference below 1 % of a voxel is named in Warning.",
        "parameters": [
          {"name": "study", "in": "path", "required": true, "description": "Study Instance UID", "schema": {"type": "string"}},
          {"name": "series", "in": "path", "required": true, "description": "Series Instance UID", "schema": {"type": "string"}},
          {"name": "volumeinputreference", "in": "query", "description": "SOP Instance UID, or UID,frame: of several volumes the one that holds it", "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {"description": "The file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "404": {"$ref": "#/components/responses/Fault"},
          "422": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/studies/{study}/series/{series}/volume.nii": {
      "get": {
        "summary": "The volume as NIfTI-1",
        "description": "Values after the Modality LUT: int16 where all fit, else int32, else float32. Axes in RAS: sform, and qform where they are orthogonal. A volume whose slices lie at uneven places is refused with 422: the format knows one step; a difference below 1 % of a voxel is named in Warning.",
        "parameters": [
          {"name": "study", "in": "path", "required": true, "description": "Study Instance UID", "schema": {"type": "string"}},
          {"name": "series", "in": "path", "required": true, "description": "Series Instance UID", "schema": {"type": "string"}},
          {"name": "volumeinputreference", "in": "query", "description": "SOP Instance UID, or UID,frame: of several volumes the one that holds it", "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {"description": "The file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "404": {"$ref": "#/components/responses/Fault"},
          "422": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/studies/{study}/series/{series}/volume.nii.gz": {
      "get": {
        "summary": "The volume as NIfTI-1, gzipped",
        "description": "Values after the Modality LUT: int16 where all fit, else int32, else float32. As volume.nii. A volume whose slices lie at uneven places is refused with 422: the format knows one step; a difference below 1 % of a voxel is named in Warning.",
        "parameters": [
          {"name": "study", "in": "path", "required": true, "description": "Study Instance UID", "schema": {"type": "string"}},
          {"name": "series", "in": "path", "required": true, "description": "Series Instance UID", "schema": {"type": "string"}},
          {"name": "volumeinputreference", "in": "query", "description": "SOP Instance UID, or UID,frame: of several volumes the one that holds it", "schema": {"type": "string"}}
        ],
        "responses": {
          "200": {"description": "The file", "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}}},
          "400": {"$ref": "#/components/responses/Fault"},
          "404": {"$ref": "#/components/responses/Fault"},
          "422": {"$ref": "#/components/responses/Fault"}
        }
      }
    },
    "/api/v1/openapi.json": {
      "get": {
        "summary": "This document",
        "responses": {"200": {"description": "OpenAPI 3", "content": {"application/json": {"schema": {"type": "object"}}}}}
      }
    }
  },
  "components": {
    "responses": {
      "Fault": {"description": "Refused or failed; the body names the fault", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}}
    },
    "schemas": {
      "Fault": {
        "type": "object",
        "required": ["status", "error", "where"],
        "properties": {
          "status": {"type": "integer"},
          "error": {"type": "string", "description": "the cause"},
          "where": {"type": "string", "description": "the parameter, field or step"},
          "offset": {"type": "integer", "description": "byte offset in the input"},
          "detail": {"type": "string"}
        }
      },
      "Stored": {
        "type": "object",
        "properties": {
          "outcome": {"type": "string", "enum": ["stored", "identical", "replaced", "refused"]},
          "sop_class_uid": {"type": "string"},
          "sop_instance_uid": {"type": "string"},
          "study_instance_uid": {"type": "string"},
          "series_instance_uid": {"type": "string"},
          "bytes": {"type": "integer", "description": "of the stored stream"}
        }
      },
      "Change": {
        "type": "object",
        "properties": {
          "position": {"type": "integer"},
          "time": {"type": "string", "format": "date-time", "description": "received, or asked for, by the server's clock; positions have the order"},
          "kind": {"type": "string", "description": "stored, replaced, removed, restored, corrected; event-N: one that this release has no word for"},
          "study_instance_uid": {"type": "string"},
          "series_instance_uid": {"type": "string", "description": "absent: an event that means all of the study"},
          "sop_instance_uid": {"type": "string", "description": "absent: an event that means all of the series"},
          "older": {"type": "string", "enum": ["kept", "forgotten"], "description": "of replaced: what became of the content that was there"},
          "level": {"type": "string", "enum": ["study", "series", "instance"], "description": "of an event"},
          "via": {"type": "string", "enum": ["dimse", "http", "rule"], "description": "of an event: who asked"},
          "subject": {"type": "integer", "description": "of an event: the position of the event that it is about, such as the removal that is undone"},
          "reason": {"type": "string", "description": "of an event"}
        }
      },
      "Removed": {
        "type": "object",
        "properties": {
          "removal": {"type": "integer", "description": "names it"},
          "removed_at": {"type": "string", "format": "date-time"},
          "study_instance_uid": {"type": "string"},
          "series_instance_uid": {"type": "string", "description": "absent: all of the study"},
          "sop_instance_uid": {"type": "string", "description": "absent: all of the series"},
          "instances": {"type": "integer"},
          "bytes": {"type": "integer"},
          "peer_address": {"type": "string"},
          "reason": {"type": "string"},
          "restorable": {"type": "boolean", "description": "false: compaction has made the removal final"}
        }
      },
      "Compaction": {
        "type": "object",
        "properties": {
          "running": {"type": "boolean"},
          "runs": {"type": "integer", "description": "since start, as are segments and reclaimed_bytes"},
          "segments": {"type": "integer", "description": "removed"},
          "reclaimed_bytes": {"type": "integer"},
          "bytes_moved": {"type": "integer", "description": "read and written by the run under way or the last one"},
          "faults": {"type": "integer", "description": "damage that it met; the log of the server names it"},
          "error": {"type": "string", "description": "why the last run failed; empty when it did not"},
          "last": {"type": "object", "additionalProperties": true, "description": "segments, bytes and garbage_bytes it found; compacted, written, reclaimed_bytes; left_for_damage, left_for_space; let_go: instances of which only the header is left; finished: it was not stopped"}
        }
      },
      "StudyState": {
        "type": "object",
        "properties": {
          "study_instance_uid": {"type": "string"},
          "state": {"type": "string", "enum": ["receiving", "complete", "incomplete"], "description": "incomplete: nothing came for a while, but something is missing that a storage commitment named"},
          "reasons": {"type": "array", "items": {"type": "object", "properties": {
            "reason": {"type": "string", "enum": ["quiet", "recent", "clock", "committed", "awaited"], "description": "clock: the last instance is dated ahead of the server's clock; committed, awaited: a storage commitment that was asked for since the start, or is not yet reported, names instances of the study, and all, or not all, that it names are there"},
            "detail": {"type": "string"},
            "requester_ae": {"type": "string", "description": "of committed and awaited"},
            "transaction_uid": {"type": "string"},
            "here": {"type": "integer", "description": "instances that it names and this study has"},
            "missing": {"type": "array", "items": {"type": "string"}, "description": "SOP Instance UIDs that it names and are in no study, up to 100"},
            "missing_instances": {"type": "integer"}
          }}},
          "series": {"type": "integer"},
          "instances": {"type": "integer"},
          "bytes": {"type": "integer", "description": "of the stored streams"},
          "first_received": {"type": "string", "format": "date-time", "description": "of the instances that are there now, by the server's clock"},
          "last_received": {"type": "string", "format": "date-time"},
          "complete_after_s": {"type": "integer"},
          "complete_at": {"type": "string", "format": "date-time", "description": "if nothing more comes"}
        }
      },
      "VerifyLine": {
        "type": "object",
        "properties": {
          "checked_bytes": {"type": "integer"},
          "of_bytes": {"type": "integer"},
          "fault": {"type": "string"},
          "where": {"type": "string"},
          "volume": {"type": "integer"},
          "segment": {"type": "integer"},
          "offset": {"type": "integer"},
          "sop_instance_uid": {"type": "string"},
          "done": {"type": "boolean"},
          "error": {"type": "string"},
          "instances": {"type": "integer", "description": "checked"},
          "faults": {"type": "integer"},
          "faults_not_listed": {"type": "integer", "description": "found while the client was too slow to be told"}
        }
      },
      "Stats": {
        "type": "object",
        "properties": {
          "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
          "watermarks": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "sequence numbers: committed, applied, persisted"},
          "received": {"type": "object", "additionalProperties": {"type": "integer"}},
          "in_flight": {"type": "object", "additionalProperties": {"type": "integer"}},
          "compaction": {"$ref": "#/components/schemas/Compaction"},
          "volumes": {"type": "array", "items": {"type": "object"}, "description": "storage volumes"}
        }
      }
    }
  }
}
)json";

}  // namespace cairn::web
