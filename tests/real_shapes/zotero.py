"""After Zotero: values and what points at them have no declared type."""

from tests.real_shapes.shape import BIG, Shape

ZOTERO = Shape(
    kind="sqlite",
    script="""
CREATE TABLE version (schema TEXT PRIMARY KEY, version INT NOT NULL);
CREATE TABLE settings (setting TEXT, key TEXT, value, PRIMARY KEY (setting, key));
CREATE TABLE libraries (libraryID INTEGER PRIMARY KEY, type TEXT NOT NULL, editable INT NOT NULL, version INT NOT NULL DEFAULT 0,
  lastSync INT NOT NULL DEFAULT 0);
CREATE TABLE itemTypes (itemTypeID INTEGER PRIMARY KEY, typeName TEXT, templateItemTypeID INT, display INT DEFAULT 1);
CREATE TABLE fields (fieldID INTEGER PRIMARY KEY, fieldName TEXT, fieldFormatID INT);
CREATE TABLE items (itemID INTEGER PRIMARY KEY, itemTypeID INT NOT NULL, dateAdded TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  dateModified TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, libraryID INT NOT NULL, key TEXT NOT NULL, version INT NOT NULL DEFAULT 0,
  synced INT NOT NULL DEFAULT 0, UNIQUE (libraryID, key),
  FOREIGN KEY (libraryID) REFERENCES libraries (libraryID) ON DELETE CASCADE);
CREATE TABLE itemDataValues (valueID INTEGER PRIMARY KEY, value UNIQUE);
CREATE TABLE itemData (itemID INT, fieldID INT, valueID, PRIMARY KEY (itemID, fieldID),
  FOREIGN KEY (itemID) REFERENCES items (itemID) ON DELETE CASCADE, FOREIGN KEY (fieldID) REFERENCES fields (fieldID),
  FOREIGN KEY (valueID) REFERENCES itemDataValues (valueID));
CREATE TABLE creators (creatorID INTEGER PRIMARY KEY, firstName TEXT, lastName TEXT, fieldMode INT, UNIQUE (lastName, firstName, fieldMode));
CREATE TABLE itemCreators (itemID INT NOT NULL, creatorID INT NOT NULL, creatorTypeID INT NOT NULL DEFAULT 1, orderIndex INT NOT NULL DEFAULT 0,
  PRIMARY KEY (itemID, creatorID, creatorTypeID, orderIndex), UNIQUE (itemID, orderIndex),
  FOREIGN KEY (itemID) REFERENCES items (itemID) ON DELETE CASCADE, FOREIGN KEY (creatorID) REFERENCES creators (creatorID) ON DELETE CASCADE);
CREATE TABLE itemAttachments (itemID INTEGER PRIMARY KEY, parentItemID INT, contentType TEXT, path TEXT, storageModTime INT, storageHash TEXT,
  lastProcessedModificationTime INT, FOREIGN KEY (itemID) REFERENCES items (itemID) ON DELETE CASCADE);
CREATE TRIGGER attachments_have_another_parent BEFORE UPDATE OF parentItemID ON itemAttachments
  WHEN NEW.parentItemID = NEW.itemID BEGIN SELECT RAISE(ABORT, 'an item is not its own parent'); END;
CREATE TABLE syncCache (libraryID INT NOT NULL, key TEXT NOT NULL, syncObjectTypeID INT NOT NULL, version INT NOT NULL, data TEXT,
  PRIMARY KEY (libraryID, key, syncObjectTypeID, version), FOREIGN KEY (libraryID) REFERENCES libraries (libraryID) ON DELETE CASCADE);
INSERT INTO version VALUES ('userdata', 120), ('system', 31);
INSERT INTO settings VALUES ('account', 'userID', 12345), ('account', 'localUserKey', 'aBc'), ('ratio', 'x', 0.1), ('none', 'y', NULL),
  ('big', 'z', 9007199254740993);
INSERT INTO libraries VALUES (1, 'user', 1, 77, 1714979289);
INSERT INTO itemTypes VALUES (2, 'book', NULL, 2), (3, 'note', NULL, 0);
INSERT INTO fields VALUES (1, 'title', NULL), (6, 'date', NULL), (8, 'ISBN', NULL);
INSERT INTO items VALUES (1, 2, '2024-05-06 07:08:09', '2024-05-06 07:08:09', 1, 'ABCD2345', 7, 1),
  (2, 2, '1999-12-31 23:59:59', '2024-05-06 07:08:10', 1, 'EFGH6789', 0, 0), (3, 3, '2024-05-06 07:08:09', '2024-05-06 07:08:09', 1, 'X', 0, 0);
INSERT INTO itemDataValues VALUES (1, 'A title'), (2, '2024-00-00 2024'), (3, 9780306406157), (4, '9780306406157'), (5, 1.5), (6, ''), (7, x'01'), (8, NULL);
INSERT INTO itemData VALUES (1, 1, 1), (1, 6, 2), (1, 8, 3), (2, 8, 4), (2, 6, NULL);
INSERT INTO creators VALUES (1, 'Ada', 'Lovelace', 0), (2, '', 'The Office', 1), (3, NULL, NULL, NULL);
INSERT INTO itemCreators VALUES (1, 1, 1, 0), (1, 2, 3, 1);
INSERT INTO itemAttachments VALUES (3, 1, 'application/pdf', 'storage:a.pdf', 1714979289123, 'd41d8cd98f00b204e9800998ecf8427e', 1714979289);
INSERT INTO syncCache VALUES (1, 'ABCD2345', 3, 7, '{"key":"ABCD2345","data":{"n":1.0}}');
""",
    columns={"itemAttachments": {"storageModTime": BIG}},
)

SHAPES = {"Zotero": ZOTERO}
