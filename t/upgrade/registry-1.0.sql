-- A registry of dqds 1.0 as pg_dump wrote it: filled by the functions of 1.0 itself (commit 35f4c95), by `record` in this directory,
-- from fill.sql. @PORT@ stands for the port of the remote source, which is that of remote.sql; the roles are those of roles.sql.
-- The secrets in it are of no use anywhere else.
--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: dqds; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS dqds WITH SCHEMA public;


--
-- Name: EXTENSION dqds; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION dqds IS 'test connections to remote data sources and list their schemas, tables and columns';


--
-- Name: changed(jsonb, jsonb, jsonb); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.changed(model jsonb, section jsonb, top jsonb DEFAULT '{}'::jsonb) RETURNS jsonb
    LANGUAGE sql
    AS $$ SELECT model || jsonb_build_object('postgresql', (model -> 'postgresql') || section) || top $$;


--
-- Name: my_listing(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.my_listing() RETURNS SETOF text
    LANGUAGE plpgsql
    AS $$ BEGIN RETURN QUERY SELECT l.table_name FROM dqds_list_tables('shop', 'shop') AS l; END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: made_token; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.made_token (
    token text
);


--
-- Name: my_connections; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.my_connections AS
 SELECT dqds_connections.connection_name,
    dqds_connections.owner
   FROM public.dqds_connections
  WHERE (dqds_connections.provider_type = 'postgresql'::text);


--
-- Name: my_tables; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.my_tables AS
 SELECT count(*) AS count
   FROM public.dqds_imported_tables;


--
-- Data for Name: dqds_connection; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_connection (id, name, owner, model, written_by_admin, created_at, updated_at) FROM stdin;
1	shop	editor	{"labels": ["a"], "postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql", "parallel_jobs_limit": 4}	f	2026-11-29 13:36:18.044787+00	2026-11-29 13:36:18.044787+00
2	by credential	editor	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.05808+00	2026-11-29 13:36:18.05808+00
3	environment of another	editor	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.059886+00	2026-11-29 13:36:18.059886+00
4	properties	editor	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "options": "-c work_mem=1MB", "sslmode": "disable", "database": "postgres", "password": "********", "properties": {"connect_timeout": "7", "application_name": "a$${b"}}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.071613+00	2026-11-29 13:36:18.071613+00
5	dollars	editor	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "dollars", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.075601+00	2026-11-29 13:36:18.075601+00
7	odd "name", it's 100%\n\\.\t😀	editor	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.085703+00	2026-11-29 13:36:18.085703+00
8	long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long long 	editor	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.086418+00	2026-11-29 13:36:18.086418+00
10	{"provider_type": "mysql"}	"Odd editor"	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.214389+00	2026-11-29 13:36:18.214389+00
11	postgresql://reader:name-secret@127.0.0.1/postgres	"Odd editor"	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.217988+00	2026-11-29 13:36:18.217988+00
12	host=db	"Odd editor"	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.22419+00	2026-11-29 13:36:18.22419+00
13	unknown key	"Odd editor"	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********", "ssl_mode": "verify-full"}, "provider_type": "postgresql"}	f	2026-11-29 13:36:18.231617+00	2026-11-29 13:36:18.231617+00
14	environment	admin	{"postgresql": {"host": "127.0.0.1", "port": "@PORT@", "user": "reader", "sslmode": "disable", "database": "postgres", "password": "********", "properties": {"application_name": "${DQDS_SECRET_NAME:none}"}}, "provider_type": "postgresql"}	t	2026-11-29 13:36:18.234794+00	2026-11-29 13:36:18.234794+00
6	other provider	"Odd editor"	{"mysql": {"host": "h", "password": "********"}, "provider_type": "mysql"}	f	2026-11-29 13:36:18.083587+00	2026-11-29 13:36:18.251545+00
\.


--
-- Data for Name: dqds_connection_grant; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_connection_grant (connection_id, grantee) FROM stdin;
1	operator
1	viewer
14	operator
1	lister
1	friend
\.


--
-- Data for Name: dqds_connection_secret; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_connection_secret (connection_id, secrets) FROM stdin;
1	{"postgresql": {"password": "reader-secret"}}
2	{"postgresql": {"password": "${credential://reader}"}}
3	{"postgresql": {"password": "${DQDS_SECRET_READER}"}}
4	{"postgresql": {"password": "reader-secret", "properties": {}}}
5	{"postgresql": {"password": "a$${b$c"}}
6	{"mysql": {"password": "mysql-secret"}}
7	{"postgresql": {"password": "reader-secret"}}
8	{"postgresql": {"password": "reader-secret"}}
10	{"postgresql": {"password": "reader-secret"}}
11	{"postgresql": {"password": "reader-secret"}}
12	{"postgresql": {"password": "reader-secret"}}
13	{"postgresql": {"password": "reader-secret"}}
14	{"postgresql": {"password": "${DQDS_SECRET_READER}", "properties": {}}}
\.


--
-- Data for Name: dqds_credential; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_credential (id, name, secret, allowed_hosts, created_at, updated_at) FROM stdin;
1	reader	reader-secret	127.0.0.1	2026-11-29 13:36:18.006381+00	2026-11-29 13:36:18.006381+00
2	unused	x	*	2026-11-29 13:36:18.006381+00	2026-11-29 13:36:18.006381+00
\.


--
-- Data for Name: dqds_credential_grant; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_credential_grant (credential_id, grantee) FROM stdin;
1	editor
1	operator
\.


--
-- Data for Name: dqds_imported_table; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_imported_table (id, connection_id, schema_name, table_name, table_kind, estimated_rows, comment, imported_at, updated_at) FROM stdin;
1	1	shop	odd	table	\N	\N	2026-11-29 13:36:18.091705+00	2026-11-29 13:36:18.091705+00
2	1	shop	orders	table	\N	\N	2026-11-29 13:36:18.091705+00	2026-11-29 13:36:18.091705+00
3	1	shop	recent	view	\N	of this month	2026-11-29 13:36:18.091705+00	2026-11-29 13:36:18.091705+00
4	2	shop	odd	table	\N	\N	2026-11-29 13:36:18.167595+00	2026-11-29 13:36:18.167595+00
\.


--
-- Data for Name: dqds_imported_column; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_imported_column (table_id, ordinal_position, column_name, column_type, length, "precision", scale, nullable, primary_key, comment) FROM stdin;
1	1	a "b" 😀	text	\N	\N	\N	t	f	\N
2	1	id	integer	\N	\N	\N	f	t	\N
2	2	price	numeric	\N	10	2	f	f	without tax
2	3	note	character varying	20	\N	\N	t	f	\N
3	1	id	integer	\N	\N	\N	t	f	\N
3	2	price	numeric	\N	10	2	t	f	\N
4	1	a "b" 😀	text	\N	\N	\N	t	f	\N
\.


--
-- Data for Name: dqds_token; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.dqds_token (id, role, token_hash, created_by, created_at, expires_at, description) FROM stdin;
1	operator	\\x4ade19246a2506d7698a18c7238a2beca40dd38f1edc5d9c70c793ea95f646fa	admin	2026-11-29 13:36:18.256444+00	2106-11-29 13:36:18.256578+00	for the console
\.


--
-- Data for Name: made_token; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.made_token (token) FROM stdin;
dqds_c515ce6dc1757228ad605c9f07f67ddeeebae73c2e28ea7fdedc262e5306ce3a
\.


--
-- Name: dqds_connection_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.dqds_connection_id_seq', 14, true);


--
-- Name: dqds_credential_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.dqds_credential_id_seq', 2, true);


--
-- Name: dqds_imported_table_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.dqds_imported_table_id_seq', 4, true);


--
-- Name: dqds_token_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.dqds_token_id_seq', 1, true);


--
-- Name: FUNCTION dqds_connection_json(connection_name text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_connection_json(connection_name text) TO viewer;
GRANT ALL ON FUNCTION public.dqds_connection_json(connection_name text) TO operator;
GRANT ALL ON FUNCTION public.dqds_connection_json(connection_name text) TO editor;
GRANT ALL ON FUNCTION public.dqds_connection_json(connection_name text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_connection_json(connection_name text) TO admin;


--
-- Name: FUNCTION dqds_create_connection(name text, model json); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model json) TO editor;
GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model json) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model json) TO admin;


--
-- Name: FUNCTION dqds_create_connection(name text, model jsonb); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model jsonb) TO editor;
GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model jsonb) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model jsonb) TO admin;


--
-- Name: FUNCTION dqds_create_connection(name text, model text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model text) TO editor;
GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_create_connection(name text, model text) TO admin;


--
-- Name: FUNCTION dqds_create_credential(name text, secret text, allowed_hosts text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_create_credential(name text, secret text, allowed_hosts text) TO admin;


--
-- Name: FUNCTION dqds_create_token(role regrole, expires_in interval, description text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_create_token(role regrole, expires_in interval, description text) TO admin;


--
-- Name: FUNCTION dqds_diagnose_connection(connection json); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection json) TO operator;
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection json) TO editor;
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection json) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection json) TO admin;


--
-- Name: FUNCTION dqds_diagnose_connection(connection jsonb); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection jsonb) TO operator;
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection jsonb) TO editor;
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection jsonb) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection jsonb) TO admin;


--
-- Name: FUNCTION dqds_diagnose_connection(connection text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection text) TO operator;
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection text) TO editor;
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_diagnose_connection(connection text) TO admin;


--
-- Name: FUNCTION dqds_drop_connection(name text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_drop_connection(name text) TO editor;
GRANT ALL ON FUNCTION public.dqds_drop_connection(name text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_drop_connection(name text) TO admin;


--
-- Name: FUNCTION dqds_drop_connection_json(connection_name text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_drop_connection_json(connection_name text) TO editor;
GRANT ALL ON FUNCTION public.dqds_drop_connection_json(connection_name text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_drop_connection_json(connection_name text) TO admin;


--
-- Name: FUNCTION dqds_drop_credential(name text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_drop_credential(name text) TO admin;


--
-- Name: FUNCTION dqds_grant(level text, role regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_grant(level text, role regrole) TO admin;


--
-- Name: FUNCTION dqds_grant_connection(name text, role regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_grant_connection(name text, role regrole) TO admin;


--
-- Name: FUNCTION dqds_grant_credential(name text, role regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_grant_credential(name text, role regrole) TO admin;


--
-- Name: FUNCTION dqds_import_named_tables(connection_name text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_import_named_tables(connection_name text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_import_named_tables(connection_name text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_import_named_tables(connection_name text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO admin;


--
-- Name: FUNCTION dqds_import_tables(connection json, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_import_tables(connection json, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_import_tables(connection json, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_import_tables(connection json, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO admin;


--
-- Name: FUNCTION dqds_import_tables(connection jsonb, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_import_tables(connection jsonb, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_import_tables(connection jsonb, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_import_tables(connection jsonb, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO admin;


--
-- Name: FUNCTION dqds_import_tables(connection text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_import_tables(connection text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_import_tables(connection text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_import_tables(connection text, schema_name text, table_name_contains text, table_names text[], tables_import_limit integer) TO admin;


--
-- Name: FUNCTION dqds_import_tables_json(parameters text, business_key text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_import_tables_json(parameters text, business_key text) TO editor;
GRANT ALL ON FUNCTION public.dqds_import_tables_json(parameters text, business_key text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_import_tables_json(parameters text, business_key text) TO admin;


--
-- Name: FUNCTION dqds_list_columns(connection json, schema_name text, table_names text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_columns(connection json, schema_name text, table_names text[]) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection json, schema_name text, table_names text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection json, schema_name text, table_names text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_columns(connection json, schema_name text, table_names text[]) TO admin;


--
-- Name: FUNCTION dqds_list_columns(connection jsonb, schema_name text, table_names text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_columns(connection jsonb, schema_name text, table_names text[]) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection jsonb, schema_name text, table_names text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection jsonb, schema_name text, table_names text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_columns(connection jsonb, schema_name text, table_names text[]) TO admin;


--
-- Name: FUNCTION dqds_list_columns(connection text, schema_name text, table_names text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_columns(connection text, schema_name text, table_names text[]) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection text, schema_name text, table_names text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection text, schema_name text, table_names text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_columns(connection text, schema_name text, table_names text[]) TO admin;
GRANT ALL ON FUNCTION public.dqds_list_columns(connection text, schema_name text, table_names text[]) TO lister WITH GRANT OPTION;


--
-- Name: FUNCTION dqds_list_schemas(connection json, include_system boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_schemas(connection json, include_system boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection json, include_system boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection json, include_system boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection json, include_system boolean) TO admin;


--
-- Name: FUNCTION dqds_list_schemas(connection jsonb, include_system boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_schemas(connection jsonb, include_system boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection jsonb, include_system boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection jsonb, include_system boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection jsonb, include_system boolean) TO admin;


--
-- Name: FUNCTION dqds_list_schemas(connection text, include_system boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_schemas(connection text, include_system boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection text, include_system boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection text, include_system boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_schemas(connection text, include_system boolean) TO admin;


--
-- Name: FUNCTION dqds_list_schemas_json(connection_name text, include_system boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_schemas_json(connection_name text, include_system boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_schemas_json(connection_name text, include_system boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_schemas_json(connection_name text, include_system boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_schemas_json(connection_name text, include_system boolean) TO admin;


--
-- Name: FUNCTION dqds_list_tables(connection json, schema_name text, table_name_contains text, max_rows integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_tables(connection json, schema_name text, table_name_contains text, max_rows integer) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection json, schema_name text, table_name_contains text, max_rows integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection json, schema_name text, table_name_contains text, max_rows integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_tables(connection json, schema_name text, table_name_contains text, max_rows integer) TO admin;


--
-- Name: FUNCTION dqds_list_tables(connection jsonb, schema_name text, table_name_contains text, max_rows integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_tables(connection jsonb, schema_name text, table_name_contains text, max_rows integer) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection jsonb, schema_name text, table_name_contains text, max_rows integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection jsonb, schema_name text, table_name_contains text, max_rows integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_tables(connection jsonb, schema_name text, table_name_contains text, max_rows integer) TO admin;


--
-- Name: FUNCTION dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer) TO admin;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer) TO lister WITH GRANT OPTION;
SET SESSION AUTHORIZATION lister;
GRANT ALL ON FUNCTION public.dqds_list_tables(connection text, schema_name text, table_name_contains text, max_rows integer) TO friend;
RESET SESSION AUTHORIZATION;


--
-- Name: FUNCTION dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text, max_rows integer, details boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text, max_rows integer, details boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text, max_rows integer, details boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text, max_rows integer, details boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_list_tables_json(connection_name text, schema_name text, table_name_contains text, max_rows integer, details boolean) TO admin;


--
-- Name: FUNCTION dqds_rename_connection(name text, new_name text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_rename_connection(name text, new_name text) TO editor;
GRANT ALL ON FUNCTION public.dqds_rename_connection(name text, new_name text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_rename_connection(name text, new_name text) TO admin;


--
-- Name: FUNCTION dqds_replace_credential(name text, secret text, allowed_hosts text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_replace_credential(name text, secret text, allowed_hosts text) TO admin;


--
-- Name: FUNCTION dqds_revoke(level text, role regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_revoke(level text, role regrole) TO admin;


--
-- Name: FUNCTION dqds_revoke_connection(name text, role regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_revoke_connection(name text, role regrole) TO admin;


--
-- Name: FUNCTION dqds_revoke_credential(name text, role regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_revoke_credential(name text, role regrole) TO admin;


--
-- Name: FUNCTION dqds_revoke_token(token_id bigint); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_revoke_token(token_id bigint) TO admin;


--
-- Name: FUNCTION dqds_set_connection_owner(name text, new_owner regrole); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_set_connection_owner(name text, new_owner regrole) TO admin;


--
-- Name: FUNCTION dqds_store_secrets(id bigint, secrets jsonb); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_store_secrets(id bigint, secrets jsonb) TO inside;


--
-- Name: FUNCTION dqds_test_connection(connection json, verify_name_uniqueness boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_test_connection(connection json, verify_name_uniqueness boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_test_connection(connection json, verify_name_uniqueness boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_test_connection(connection json, verify_name_uniqueness boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_test_connection(connection json, verify_name_uniqueness boolean) TO admin;


--
-- Name: FUNCTION dqds_test_connection(connection jsonb, verify_name_uniqueness boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_test_connection(connection jsonb, verify_name_uniqueness boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_test_connection(connection jsonb, verify_name_uniqueness boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_test_connection(connection jsonb, verify_name_uniqueness boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_test_connection(connection jsonb, verify_name_uniqueness boolean) TO admin;


--
-- Name: FUNCTION dqds_test_connection(connection text, verify_name_uniqueness boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_test_connection(connection text, verify_name_uniqueness boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_test_connection(connection text, verify_name_uniqueness boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_test_connection(connection text, verify_name_uniqueness boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_test_connection(connection text, verify_name_uniqueness boolean) TO admin;


--
-- Name: FUNCTION dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean) TO operator;
GRANT ALL ON FUNCTION public.dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean) TO editor;
GRANT ALL ON FUNCTION public.dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_test_connection_json(model text, verify_name_uniqueness boolean, details boolean) TO admin;


--
-- Name: FUNCTION dqds_test_connections(connections text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_test_connections(connections text[]) TO operator;
GRANT ALL ON FUNCTION public.dqds_test_connections(connections text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_test_connections(connections text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_test_connections(connections text[]) TO admin;


--
-- Name: FUNCTION dqds_unimport_tables(connection json, schema_name text, table_names text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection json, schema_name text, table_names text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection json, schema_name text, table_names text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection json, schema_name text, table_names text[]) TO admin;


--
-- Name: FUNCTION dqds_unimport_tables(connection jsonb, schema_name text, table_names text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection jsonb, schema_name text, table_names text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection jsonb, schema_name text, table_names text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection jsonb, schema_name text, table_names text[]) TO admin;


--
-- Name: FUNCTION dqds_unimport_tables(connection text, schema_name text, table_names text[]); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection text, schema_name text, table_names text[]) TO editor;
GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection text, schema_name text, table_names text[]) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_unimport_tables(connection text, schema_name text, table_names text[]) TO admin;


--
-- Name: FUNCTION dqds_update_connection(name text, model json); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model json) TO editor;
GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model json) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model json) TO admin;


--
-- Name: FUNCTION dqds_update_connection(name text, model jsonb); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model jsonb) TO editor;
GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model jsonb) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model jsonb) TO admin;


--
-- Name: FUNCTION dqds_update_connection(name text, model text); Type: ACL; Schema: public; Owner: -
--

GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model text) TO editor;
GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model text) TO "Odd editor";
GRANT ALL ON FUNCTION public.dqds_update_connection(name text, model text) TO admin;


--
-- Name: TABLE dqds_connection_grant; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.dqds_connection_grant TO auditor;


--
-- Name: TABLE dqds_connections; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.dqds_connections TO viewer;
GRANT SELECT ON TABLE public.dqds_connections TO operator;
GRANT SELECT ON TABLE public.dqds_connections TO editor;
GRANT SELECT ON TABLE public.dqds_connections TO "Odd editor";
GRANT SELECT ON TABLE public.dqds_connections TO admin;


--
-- Name: TABLE dqds_credentials; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.dqds_credentials TO admin;


--
-- Name: TABLE dqds_imported_columns; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.dqds_imported_columns TO viewer;
GRANT SELECT ON TABLE public.dqds_imported_columns TO operator;
GRANT SELECT ON TABLE public.dqds_imported_columns TO editor;
GRANT SELECT ON TABLE public.dqds_imported_columns TO "Odd editor";
GRANT SELECT ON TABLE public.dqds_imported_columns TO admin;


--
-- Name: TABLE dqds_imported_tables; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.dqds_imported_tables TO viewer;
GRANT SELECT ON TABLE public.dqds_imported_tables TO operator;
GRANT SELECT ON TABLE public.dqds_imported_tables TO editor;
GRANT SELECT ON TABLE public.dqds_imported_tables TO "Odd editor";
GRANT SELECT ON TABLE public.dqds_imported_tables TO admin;


--
-- Name: TABLE dqds_tokens; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.dqds_tokens TO admin;


--
-- PostgreSQL database dump complete
--


