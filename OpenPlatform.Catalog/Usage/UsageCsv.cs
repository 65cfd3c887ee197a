using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Npgsql;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Usage as RFC 4180, row by row as Postgres gives it: memory is that of one row and one buffer, however long it is.</summary>
internal sealed class UsageCsv(UsageQuery query, NpgsqlCommand command, NpgsqlDataReader reader) : IResult, IAsyncDisposable
{
    private const int FlushBytes = 32 * 1024;

    /// <summary>The answer, whose statement runs already: what can fail has failed before the first byte.</summary>
    public static async Task<UsageCsv> OpenAsync(UsageQuery query, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var connection = await database.OpenConnectionAsync(cancellationToken);
        var command = query.Rows(connection, after: null, fetch: null);
        command.CommandTimeout = 600;
        try
        {
            return new(query, command, await command.ExecuteReaderAsync(System.Data.CommandBehavior.CloseConnection, cancellationToken));
        }
        catch
        {
            await command.DisposeAsync();
            await connection.DisposeAsync();
            throw;
        }
    }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        await using (this)
        {
            var response = httpContext.Response;
            response.ContentType = "text/csv; charset=utf-8; header=present";
            response.Headers.ContentDisposition = "attachment; filename=\"usage.csv\"";
            response.Headers.CacheControl = "private, no-store";
            var writer = response.BodyWriter;
            WriteHeader(writer);
            while (await reader.ReadAsync(httpContext.RequestAborted))
            {
                WriteRow(writer);
                if (writer.UnflushedBytes >= FlushBytes)
                {
                    await writer.FlushAsync(httpContext.RequestAborted);
                }
            }

            await writer.FlushAsync(httpContext.RequestAborted);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await reader.DisposeAsync();
        await command.DisposeAsync();
    }

    private void WriteHeader(PipeWriter writer)
    {
        foreach (var column in query.Columns)
        {
            Write(writer, column.Header);
            Write(writer, ",");
        }

        Write(writer, "units\r\n");
    }

    private void WriteRow(PipeWriter writer)
    {
        Span<char> text = stackalloc char[40];
        for (var i = 0; i < query.Columns.Count; i++)
        {
            var type = query.Columns[i].Type;
            if (type == typeof(Guid))
            {
                if (reader.GetGuid(i) is var id && id != Guid.Empty && id.TryFormat(text, out var length))
                {
                    Write(writer, text[..length]);
                }
            }
            else if (type == typeof(DateTime))
            {
                reader.GetDateTime(i).TryFormat(text, out var length, "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
                Write(writer, text[..length]);
            }
            else if (type == typeof(short))
            {
                reader.GetInt16(i).TryFormat(text, out var length, default, CultureInfo.InvariantCulture);
                Write(writer, text[..length]);
            }
            else
            {
                WriteText(writer, reader.GetString(i));
            }

            Write(writer, ",");
        }

        reader.GetInt64(query.Columns.Count).TryFormat(text, out var digits, default, CultureInfo.InvariantCulture);
        Write(writer, text[..digits]);
        Write(writer, "\r\n");
    }

    /// <summary>Quoted where it must be; and never what a spreadsheet takes for a formula: names of operations are somebody's text.</summary>
    private static void WriteText(PipeWriter writer, string value)
    {
        if (value.Length > 0 && value[0] is '=' or '+' or '-' or '@' or '\t' or '\r')
        {
            value = "'" + value;
        }

        if (value.AsSpan().ContainsAny("\",\r\n"))
        {
            Write(writer, "\"");
            Write(writer, value.Replace("\"", "\"\"", StringComparison.Ordinal));
            Write(writer, "\"");
        }
        else
        {
            Write(writer, value);
        }
    }

    private static void Write(PipeWriter writer, ReadOnlySpan<char> text) => Encoding.UTF8.GetBytes(text, writer);
}
