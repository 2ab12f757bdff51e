# DqdsTest::Reference: functions that describe the tables of a remote PostgreSQL, for what none of its views shows.
#
#   create_reference($remote, 'postgres');    # then: SELECT reference.rows(oid), reference.base_type(type, modifier), …
#
# They are written for comparisons in tests, differently from the catalog queries of dqds: each reads one object, and then the
# next. Every role may call them.
package DqdsTest::Reference;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(create_reference);

my $functions = <<'SQL';
CREATE SCHEMA reference;
GRANT USAGE ON SCHEMA reference TO PUBLIC;

-- The extension that an object belongs to.
CREATE FUNCTION reference.extension(class regclass, object oid) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT x.extname::text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
	WHERE d.classid = class AND d.objid = object AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' $$;

-- The rows of one relation, without those of others that inherit from it: what ANALYZE has found. Where that was nothing,
-- what has been counted since, on servers that can be asked for it at once.
CREATE FUNCTION reference.own_rows(relation oid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	c pg_catalog.pg_class;
BEGIN
	SELECT * INTO c FROM pg_catalog.pg_class k WHERE k.oid = relation;
	IF c.reltuples > 0 THEN RETURN c.reltuples; END IF;
	IF c.reltuples < 0 OR c.relkind NOT IN ('r', 'm') OR current_setting('server_version_num')::integer < 150000 THEN RETURN NULL; END IF;
	IF reference.extension('pg_catalog.pg_namespace', c.relnamespace) IS NOT NULL THEN RETURN NULL; END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = relation AND t.tgisinternal
		AND reference.extension('pg_catalog.pg_proc', t.tgfoid) IS NOT NULL) THEN RETURN NULL; END IF;
	RETURN (SELECT s.n_live_tup FROM pg_catalog.pg_stat_all_tables s WHERE s.relid = relation
		AND greatest(s.last_vacuum, s.last_autovacuum, s.last_analyze, s.last_autoanalyze) IS NOT NULL);
END $$;

-- The rows that SELECT reads of a relation; NULL where a part of them is not known.
CREATE FUNCTION reference.rows(relation oid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	kind "char" := (SELECT k.relkind FROM pg_catalog.pg_class k WHERE k.oid = relation);
	parts oid[] := ARRAY[relation];
	child oid;
	place integer := 1;
	total bigint := 0;
BEGIN
	IF kind = 'v' THEN RETURN NULL; END IF;
	WHILE place <= cardinality(parts) LOOP
		IF (SELECT k.relkind FROM pg_catalog.pg_class k WHERE k.oid = parts[place]) <> 'p' THEN
			total := total + reference.own_rows(parts[place]);
		END IF;
		FOR child IN SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = parts[place] LOOP
			IF child <> ALL (parts) THEN parts := parts || child; END IF;
		END LOOP;
		place := place + 1;
	END LOOP;
	RETURN total;
END $$;

-- How large they are on disk.
CREATE FUNCTION reference.size(relation oid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	k pg_catalog.pg_class;
	child oid;
	parts oid[] := ARRAY[relation];
	place integer := 1;
	total bigint := 0;
BEGIN
	SELECT * INTO k FROM pg_catalog.pg_class c WHERE c.oid = relation;
	IF k.relkind = 'v' OR k.relkind = 'f' AND NOT k.relhassubclass THEN RETURN NULL; END IF;
	WHILE place <= cardinality(parts) LOOP
		IF (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = parts[place]) IN ('r', 'm') THEN
			total := total + pg_total_relation_size(parts[place]);
		END IF;
		FOR child IN SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = parts[place] LOOP
			IF child <> ALL (parts) THEN parts := parts || child; END IF;
		END LOOP;
		place := place + 1;
	END LOOP;
	RETURN total;
END $$;

-- What a domain is in the end, with the modifier; NULL for other types.
CREATE FUNCTION reference.base_type(type oid) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	t pg_catalog.pg_type;
	base oid;
	modifier integer;
BEGIN
	SELECT * INTO t FROM pg_catalog.pg_type y WHERE y.oid = type;
	WHILE t.typtype = 'd' LOOP
		base := t.typbasetype;
		modifier := t.typtypmod;
		SELECT * INTO t FROM pg_catalog.pg_type y WHERE y.oid = base;
	END LOOP;
	RETURN format_type(base, modifier);
END $$;

-- Does a type, or a domain below it, refuse NULL?
CREATE FUNCTION reference.refuses_null(type oid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
	t pg_catalog.pg_type;
BEGIN
	SELECT * INTO t FROM pg_catalog.pg_type y WHERE y.oid = type;
	WHILE t.typtype = 'd' LOOP
		IF t.typnotnull THEN RETURN true; END IF;
		SELECT * INTO t FROM pg_catalog.pg_type y WHERE y.oid = t.typbasetype;
	END LOOP;
	RETURN false;
END $$;
SQL

sub create_reference
{
	my ($node, $database) = @_;
	$node->safe_psql($database, $functions);
	return;
}

1;
