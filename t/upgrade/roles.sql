-- The roles of the registry of 1.0, which a dump of its database does not hold.
CREATE ROLE viewer;
CREATE ROLE operator;
CREATE ROLE editor;
CREATE ROLE "Odd editor";
CREATE ROLE admin;
GRANT operator TO admin; -- who may make tokens for it then
CREATE ROLE nobody;   -- no privilege at all
CREATE ROLE lister;   -- one function of many, by GRANT
CREATE ROLE friend;   -- the same, by GRANT of lister
CREATE ROLE auditor;  -- a table, by GRANT
CREATE ROLE inside;   -- an internal function, by GRANT
