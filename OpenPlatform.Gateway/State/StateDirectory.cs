using System.Security.Cryptography;
using System.Text;
using OpenPlatform.ServiceDefaults.Deployment;

namespace OpenPlatform.Gateway.State;

/// <summary>
/// The gateway's own folder (setting <c>OpenPlatform:StateDirectory</c>; replicas on one machine may share it): what it needs to
/// start and serve while everything else is dead. Files are replaced whole and carry a checksum, so a torn one is never read.
/// </summary>
internal sealed class StateDirectory
{
    private const string Magic = "openplatform-state-1 ";

    public StateDirectory(IConfiguration configuration)
    {
        var path = configuration["OpenPlatform:StateDirectory"];
        if (string.IsNullOrWhiteSpace(path))
        {
            var local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
            path = Path.Combine(local.Length > 0 ? local : Path.GetTempPath(), "openplatform", "gateway");
        }

        Root = Path.GetFullPath(path);
        try
        {
            Directory.CreateDirectory(Root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartRefusedException(
                $"The state directory {Root} cannot be used: {e.Message} Set OpenPlatform:StateDirectory to a folder this process may write to.", e);
        }
    }

    public string Root { get; }

    /// <summary>Replaces a file: readers see the old content or the new, never a mixture.</summary>
    /// <exception cref="IOException">The disk is full or the folder is gone.</exception>
    public void Write(string name, ReadOnlySpan<byte> content)
    {
        var temporary = Path.Combine(Root, $"{name}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
                SHA256.HashData(content, hash);
                file.Write(Encoding.ASCII.GetBytes(Magic + Convert.ToHexStringLower(hash) + "\n"));
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, Path.Combine(Root, name), overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>The content, or null when the file is missing or damaged (then <paramref name="damage"/> says how).</summary>
    public byte[]? Read(string name, out string? damage)
    {
        damage = null;
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(Path.Combine(Root, name));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            damage = e.Message;
            return null;
        }

        var header = Magic.Length + (2 * SHA256.HashSizeInBytes) + 1;
        if (bytes.Length < header)
        {
            damage = "shorter than its header";
            return null;
        }

        var expected = Magic + Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(header))) + "\n";
        if (!Encoding.ASCII.GetString(bytes, 0, header).Equals(expected, StringComparison.Ordinal))
        {
            damage = "checksum differs";
            return null;
        }

        return bytes[header..];
    }
}
